"""The fields in which servers label reasoning, as each server sends them."""

import json
from typing import Any

import pytest

from gateway.apis import DIALECTS, Answer
from gateway.core.events import Extra, OutputDelta, ReasoningDelta
from tests.core.cuts import every_cut
from tests.core.scripted import DONE, FINISH, delta, lines, make_turn, run, text

THOUGHT = {"google": {"thought": True}}


def details(*texts: str, type: str = "reasoning.text", member: str = "text") -> list[Any]:
    return [{"type": type, member: text, "index": 0} for text in texts]


@pytest.mark.parametrize(
    ("deltas", "reasoning", "content"),
    [
        # DeepSeek, SGLang, llama.cpp: content is null, "" or absent beside reasoning.
        ([{"reasoning_content": "a", "content": None}, {"content": "c"}], "a", "c"),
        ([{"reasoning_content": "a", "content": ""}, {"content": "c"}], "a", "c"),
        # vLLM, OpenRouter, Groq, Ollama.
        ([{"reasoning": "a"}, {"reasoning": "b"}, {"content": "c"}], "ab", "c"),
        # A server that sends both names during a transition: the text counts once.
        ([{"reasoning": "a", "reasoning_content": "a"}, {"content": "c"}], "a", "c"),
        # An empty or null field labels nothing.
        ([{"reasoning": None, "reasoning_content": "", "content": "<think>a</think>c"}], "a", "c"),
        # OpenRouter mirrors `reasoning` in `reasoning_details`, which count if they are alone.
        ([{"reasoning": "a", "reasoning_details": details("a")}, {"content": "c"}], "a", "c"),
        ([{"reasoning_details": details("a", "b")}, {"content": "c"}], "ab", "c"),
        (
            [
                {"reasoning_details": details("a", type="reasoning.summary", member="summary")},
                {"content": "c"},
            ],
            "a",
            "c",
        ),
        ([{"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}], "", ""),
        # A chunk with reasoning and content is split.
        ([{"thinking": "a", "content": "c"}], "a", "c"),
        # The text is in an object or in a list, of the field or of the content.
        *(
            ([{field: value}, {"content": "c"}], "a", "c")
            for field in ("reasoning_content", "reasoning", "thinking", "thoughts")
            for value in ({"content": "a"}, {"text": "a"}, ["a"], [{"type": "text", "text": "a"}])
        ),
        *(
            ([{"content": [item]}, {"content": "c"}], "a", "c")
            for item in (
                {"type": "reasoning", "text": "a"},
                {"type": "reasoning", "reasoning": "a"},
                {"type": "reasoning_text", "text": "a"},
                {"type": "thinking", "content": [{"type": "text", "text": "a"}]},
            )
        ),
        *(
            ([{"reasoning": "a"}, {"content": content}], "a", "c")
            for content in (
                {"type": "text", "text": "c"},
                {"parts": ["c"]},
                [{"type": "refusal", "refusal": "c"}],
                [{"type": "text", "text": {"value": "c"}}],
            )
        ),
        # LiteLLM's own place.
        ([{"provider_specific_fields": {"reasoning_content": "a"}}, {"content": "c"}], "a", "c"),
        # Mistral's content is first a list, later a string.
        (
            [
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]},
                {"content": [{"type": "text", "text": "c"}]},
                {"content": "d"},
            ],
            "a",
            "cd",
        ),
        ([{"content": [{"type": "thinking", "thinking": "a"}]}, {"content": "c"}], "a", "c"),
        # Databricks sends a summary in such an item.
        (
            [
                {
                    "content": [
                        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}]}
                    ]
                },
                {"content": [{"type": "text", "text": "c"}]},
            ],
            "a",
            "c",
        ),
        # Anthropic through LiteLLM.
        (
            [
                {
                    "reasoning_content": "a",
                    "thinking_blocks": [{"type": "thinking", "thinking": "a"}],
                },
                {"content": "c"},
            ],
            "a",
            "c",
        ),
        (
            [{"thinking_blocks": [{"type": "thinking", "thinking": "a"}]}, {"content": "c"}],
            "a",
            "c",
        ),
        ([{"thinking_blocks": [{"type": "redacted_thinking", "data": "x"}]}], "", ""),
        # Google flags the text, tags it, or both.
        ([{"content": "a", "extra_content": THOUGHT}, {"content": "c"}], "a", "c"),
        (
            [
                {"content": "<thought>a", "extra_content": THOUGHT},
                {"content": "b", "extra_content": THOUGHT},
                {"content": "</thought>c"},
            ],
            "ab",
            "c",
        ),
        # A flag beside a signature is on the answer.
        (
            [
                {
                    "content": "c",
                    "extra_content": {"google": {"thought": True, "thought_signature": "c2ln"}},
                }
            ],
            "",
            "c",
        ),
        # Texts without a type in a content list, and members that are empty in every delta.
        ([{"content": ["c", {"type": "text", "text": "d"}, {"type": "reference"}]}], "", "cd"),
        (
            [{"reasoning": "a", "refusal": ""}, {"content": "c", "refusal": "", "audio": ""}],
            "a",
            "c",
        ),
        # GitHub Copilot.
        ([{"reasoning_text": "a", "reasoning_opaque": "x"}, {"content": "c"}], "a", "c"),
        # Groq with `raw`, and others, leave the markers in the text.
        ([{"content": ""}, {"content": "<think>\na\n</th"}, {"content": "ink>\n\nc"}], "a", "c"),
        # Wrong types are ignored.
        ([{"reasoning": 1, "reasoning_details": "x", "thinking_blocks": {}}], "x", ""),
        ([{"content": [1, None, {}, {"type": "text", "text": 5}]}], "", ""),
        ([{"content": [{"type": ["reasoning"], "summary": "a"}, {"type": "reasoning"}]}], "", ""),
        ([{"content": "c", "extra_content": {"google": 1}}], "", "c"),
    ],
)
def test_labelled_reasoning_and_content(
    deltas: list[dict[str, Any]], reasoning: str, content: str
) -> None:
    events = run(make_turn("raw"), lines(*(delta(**d) for d in deltas), FINISH, DONE))
    assert (text(events, ReasoningDelta), text(events, OutputDelta)) == (reasoning, content)
    assert not any(type(event) is Extra for event in events)


@pytest.mark.parametrize("model", ["gemma-4-31b-it", "gemini-3", "any", "deepseek-v3.2"])
def test_flags_and_tags_of_thoughts_may_be_cut_anywhere(model: str) -> None:
    for text_ in ("<thought>plan", "\n<thought>\nplan", "plan"):
        for pieces in every_cut(text_):
            deltas = [{"content": piece, "extra_content": THOUGHT} for piece in pieces]
            end = ["</tho", "ught>", "It is", " 4."] if "<" in text_ else ["It is", " 4."]
            frames = [*(delta(**d) for d in deltas), *(delta(content=piece) for piece in end)]
            events = run(make_turn("raw", model), *[lines(frame) for frame in [*frames, FINISH]])
            found = (text(events, ReasoningDelta), text(events, OutputDelta))
            assert found == ("plan", "It is 4."), pieces


# What the gateway does not know passes through the chat formats.

MEMBERS = {"provider": "P", "citations": ["a"], "timings": {"n": 1}, "usage": None, "empty": ""}
UNKNOWN = [
    {**delta(content="a"), **MEMBERS},
    {**delta(content="b"), **MEMBERS, "citations": ["a", "b"], "obfuscation": "x"},
    {
        "choices": [
            {"index": 0, "delta": {}, "finish_reason": "stop", "native_finish_reason": "STOP"}
        ],
        "x_groq": {"usage": {"completion_tokens": 2}},
    },
    DONE,
]
PASSED_ON = {
    "provider": "P",
    "citations": ["a", "b"],
    "timings": {"n": 1},
    "x_groq": {"usage": {"completion_tokens": 2}},
}


@pytest.mark.parametrize("format", ["openai", "phased"])
@pytest.mark.parametrize("one_read", [True, False])
def test_unknown_members_pass_through_once(format: str, one_read: bool) -> None:
    reads = [lines(*UNKNOWN)] if one_read else [lines(frame) for frame in UNKNOWN]
    events = run(make_turn(), *reads)
    dialect = DIALECTS[format](Answer(id="a", model="m", created=1))
    stream = dialect.begin() + dialect.encode(1, events)
    datas = [line[6:] for line in stream.decode().split("\n") if line.startswith("data: {")]
    chunks = [json.loads(data) for data in datas]
    for name, value in PASSED_ON.items():
        if (name, format) == ("timings", "phased"):
            name = "upstream_timings"
        given = [chunk[name] for chunk in chunks if name in chunk]
        assert given[-1] == value
        assert len(given) <= 2
    assert chunks[-1]["choices"][0]["native_finish_reason"] == "STOP"
    assert not any("obfuscation" in chunk or "empty" in chunk for chunk in chunks)
    assert events[-1].usage == {"completion_tokens": 2}


FIGURES = {"prompt_tokens": 5, "completion_tokens": 2}
USAGE_PLACES: list[tuple[dict[str, Any], list[Any]]] = [
    ({**FINISH, "x_groq": {"usage": FIGURES}}, ["x_groq", "usage"]),
    ({"choices": [{**FINISH["choices"][0], "usage": FIGURES}]}, ["choices", 0, "usage"]),
]


def at(value: Any, place: list[Any]) -> Any:
    """What stands at this place, or None."""
    for member in place:
        try:
            value = value[member]
        except (KeyError, IndexError):
            return None
    return value


def bodies(frames: list[Any]) -> dict[str, Any]:
    """The answer in each API, not streamed; `chunks` of openai; the data of `done` in events."""
    events = run(make_turn(), lines(*frames))
    found = {}
    for format in ("openai", "responses", "messages"):
        whole = DIALECTS[format].non_streamed(Answer(id="a", model="m", created=1))
        whole.add(events)
        found[format] = whole.body()
    answer = Answer(id="a", model="m", created=1, include_usage=True)
    datas = DIALECTS["openai"](answer).encode(1, events).decode().split("data: ")
    found["chunks"] = [json.loads(data) for data in datas if data.startswith("{")]
    done = DIALECTS["events"](answer).encode(1, events).decode().split("data: ")[-1]
    return found | {"done": json.loads(done)}


@pytest.mark.parametrize(("frame", "place"), USAGE_PLACES)
def test_usage_in_another_place_stays_there_in_the_chat_formats_and_counts_elsewhere(
    frame: dict[str, Any], place: list[Any]
) -> None:
    found = bodies([delta(content="Hi"), frame, DONE])
    assert found["messages"]["usage"]["output_tokens"] == 2
    assert "estimated" in found["messages"]["usage"]  # only the reasoning's share
    assert found["responses"]["usage"]["input_tokens"] == 5
    assert at(found["openai"], place) == FIGURES
    assert [at(chunk, place) for chunk in found["chunks"] if at(chunk, place)] == [FIGURES]
    assert not any(chunk.get("usage") for chunk in found["chunks"])
    assert found["done"]["usage"] is None


@pytest.mark.parametrize(("frame", "_"), USAGE_PLACES)
@pytest.mark.parametrize("comes_first", [True, False])
def test_usage_in_its_own_place_counts_before_that_in_another(
    frame: dict[str, Any], _: object, comes_first: bool
) -> None:
    own = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
    found = bodies([delta(content="Hi"), *([own, frame] if comes_first else [frame, own]), DONE])
    assert found["openai"]["usage"] == found["done"]["usage"] == own["usage"]
    assert found["messages"]["usage"]["input_tokens"] == 7


def test_unknown_members_are_in_the_answer_in_one_piece() -> None:
    whole = DIALECTS["openai"].non_streamed(Answer(id="a", model="m", created=1))
    whole.add(run(make_turn(), lines(*UNKNOWN)))
    body = whole.body()
    assert {name: body[name] for name in PASSED_ON} == PASSED_ON
    assert body["choices"][0]["native_finish_reason"] == "STOP"


def test_the_upstreams_timings_stand_beside_the_gateways_in_events() -> None:
    dialect = DIALECTS["events"](Answer(id="a", model="m", created=1))
    done = dialect.encode(1, run(make_turn(), lines(*UNKNOWN))).decode().split("data: ")[-1]
    assert json.loads(done)["upstream_timings"] == {"n": 1}


def test_frames_with_unknown_members_that_do_not_change_take_the_fast_path() -> None:
    frames = [{**delta(content=text), "provider": "P"} for text in "abcd"]
    turn = make_turn()
    turn.start(0)
    for frame in frames[:3]:
        turn.feed(lines(frame), 1)
    assert turn.steady_state() is not None


MESSAGE = {"role": "assistant", "reasoning": "a", "content": "c"}


@pytest.mark.parametrize(
    "frames",
    [
        [{"choices": [{"message": MESSAGE, "finish_reason": "stop"}]}],
        [{"choices": [{"delta": {}, "message": MESSAGE, "finish_reason": "stop"}]}],
        [delta(reasoning="a"), {"choices": [{"text": "c", "finish_reason": "stop"}]}],
        [{"choices": [{"index": "0", "delta": MESSAGE, "finish_reason": "stop"}]}],
        # Perplexity repeats the whole message beside each delta.
        [
            {"choices": [{"delta": {"reasoning": "a"}, "message": {"content": ""}}]},
            {"choices": [{"delta": {"content": "c"}, "message": {"content": "c"}}]},
            {"choices": [{"delta": {}, "message": MESSAGE, "finish_reason": "stop"}]},
        ],
        # A usage that is none says nothing.
        [delta(reasoning="a"), {**delta(content="c"), "usage": []}, {**FINISH, "usage": ""}],
    ],
)
def test_other_places_of_the_text_in_a_stream(frames: list[Any]) -> None:
    events = run(make_turn("raw"), lines(*frames, DONE))
    assert (text(events, ReasoningDelta), text(events, OutputDelta)) == ("a", "c")
