"""The Responses stream of any turn has valid items in a valid order and loses no text."""

import json
from typing import Any

import pytest
import sseclient
from hypothesis import given
from hypothesis import strategies as st

from gateway.apis import DIALECTS, Answer
from gateway.core.events import (
    Done,
    Event,
    Extra,
    Failed,
    OutputDelta,
    PromptSummary,
    ReasoningDelta,
    ReasoningSummary,
    SummaryDelta,
    Timings,
    ToolCallDelta,
)
from gateway.errors import UpstreamBroke

PROMPT = PromptSummary("What is 2+2?", 1)
USAGE = {"prompt_tokens": 1, "completion_tokens": 2}
DONE = Done("stop", USAGE, Timings(total_ms=1500))
LOGPROBS = [{"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}]


def call(index: int, arguments: str = "", **more: Any) -> ToolCallDelta:
    """A piece of a call; the first has `id` and `name`."""
    function = {"arguments": arguments, **({"name": more.pop("name")} if "name" in more else {})}
    return ToolCallDelta({"index": index, "function": function, **more})


def answer(**options: Any) -> Answer:
    return Answer(id="1", model="m", created=7, **{"reasoning": "both", **options})


def stream(events: list[Event], **options: Any) -> list[dict[str, Any]]:
    """The data of the events, as an independent parser reads them."""
    dialect = DIALECTS["responses"](answer(**options))
    sent = dialect.begin() + dialect.encode(1, events)
    return [json.loads(event.data) for event in sseclient.SSEClient([sent]).events()]


def output(events: list[Event], **options: Any) -> list[dict[str, Any]]:
    """The output of the non-streamed answer."""
    response = DIALECTS["responses"].non_streamed(answer(**options))
    response.add(events)
    return list(response.body()["output"])


def outline(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Type and text of each item."""
    return [
        (
            item["type"],
            item.get("arguments")
            or "".join(p.get("text", "") + p.get("refusal", "") for p in item.get("content", [])),
        )
        for item in items
    ]


class Client:
    """Builds the items from the deltas, as a client does, and checks the order of the events."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.open: set[int] = set()

    def read(self, event: dict[str, Any]) -> None:
        name = event["type"].removeprefix("response.")
        if name == "output_item.added":
            assert event["output_index"] == len(self.items)
            self.items.append({"id": event["item"]["id"], "parts": {}, "done": None})
            self.open.add(event["output_index"])
        elif "output_index" in event:
            assert event["output_index"] in self.open
            item = self.items[event["output_index"]]
            if name == "output_item.done":
                assert event["item"]["id"] == item["id"]
                item["done"] = event["item"]
                self.open.remove(event["output_index"])
            else:
                self.grow(item, name, event)

    def grow(self, item: dict[str, Any], name: str, event: dict[str, Any]) -> None:
        assert event["item_id"] == item["id"]
        index = event.get("summary_index", event.get("content_index"))
        of = ("summary" if "summary_index" in event else "content") if index is not None else "call"
        key = (of, index)
        if name.endswith("part.added"):
            assert key not in item["parts"]
            assert index == sum(1 for other, _ in item["parts"] if other == of)
            item["parts"][key] = ""
        elif name.endswith(".delta"):
            item["parts"][key] = item["parts"].get(key, "") + event["delta"]
        else:
            part = event.get("part", event)
            text = part.get("text", part.get("refusal", part.get("arguments")))
            assert text == item["parts"].get(key, "")

    def check(self, final: list[dict[str, Any]], *, failed: bool) -> None:
        """What is done is in the output; of what is open, only a text is, if the answer failed."""
        assert failed or not self.open
        done = [item["done"] for item in self.items if item["done"]]
        assert [item for item in final if item["status"] == "completed" or not failed] == done
        assert all(item["type"] != "function_call" for item in final if item not in done)
        for item in [item for item in self.items if item["done"]]:
            texts = {k: v for k, v in item["parts"].items() if k[0] != "call"}
            parts = [
                (of, part.get("text", part.get("refusal")))
                for of in ("summary", "content")
                for part in item["done"].get(of, [])
            ]
            assert sorted(parts) == sorted((of, text) for (of, _), text in texts.items())


words = st.text(max_size=5)
before = st.lists(
    st.builds(ReasoningDelta, words.filter(bool)) | st.builds(SummaryDelta, words.filter(bool))
)
after = st.lists(
    st.builds(OutputDelta, words)
    | st.builds(ReasoningDelta, words.filter(bool))
    | st.builds(Extra, st.builds(dict, refusal=words.filter(bool)))
    | st.builds(call, st.integers(0, 2), st.sampled_from(["", "{", "}", '{"a":1}', "nope"]))
)
ends = st.sampled_from(
    [DONE, Done("length", None, Timings()), Failed(UpstreamBroke("It broke.").info, Timings())]
)


@given(before, after, ends)
def test_any_turn_becomes_valid_items_and_loses_no_text(
    reasoning: list[Event], output_events: list[Event], end: Event
) -> None:
    events = [PROMPT, *reasoning, ReasoningSummary("I add.", "So 4."), *output_events, end]
    found, client = stream(events), Client()
    for number, event in enumerate(found):
        assert event["sequence_number"] == number
        client.read(event)
    final = found[-1]["response"]
    client.check(final["output"], failed=isinstance(end, Failed))
    assert final["output"] == output(events)
    assert len({item["id"] for item in final["output"]}) == len(final["output"])
    texts = outline(final["output"])
    sent = "".join(text for type, text in texts if type == "message")
    expected = "".join(
        e.text if isinstance(e, OutputDelta) else e.delta["refusal"] if isinstance(e, Extra) else ""
        for e in output_events
    )
    assert sorted(sent) == sorted(expected), "texts and refusals are separate parts"
    thoughts = "".join(
        e.text for e in [*reasoning, *output_events] if isinstance(e, ReasoningDelta)
    )
    assert "".join(text for type, text in texts if type == "reasoning") == thoughts


def test_text_after_a_call_and_reasoning_after_text_are_separate_items() -> None:
    events = [
        PROMPT,
        ReasoningDelta("I think."),
        ReasoningSummary("", ""),
        OutputDelta("I look. "),
        ReasoningDelta("Again."),
        call(0, id="c1", name="f"),
        call(0, "{}"),
        OutputDelta("Done."),
        DONE,
    ]
    assert outline(output(events)) == [
        ("reasoning", "I think."),
        ("message", "I look. "),
        ("reasoning", "Again."),
        ("function_call", "{}"),
        ("message", "Done."),
    ]


def test_interleaved_calls_are_separate_items() -> None:
    events = [
        PROMPT,
        call(0, id="c1", name="f"),
        call(1, id="c2", name="g"),
        call(0, '{"a":'),
        call(1, "{}"),
        call(0, "1}"),
        call(2, name="h"),
        DONE,
    ]
    calls = [item for item in output(events, reasoning="none") if item["type"] == "function_call"]
    assert [(c["call_id"], c["name"], c["arguments"], c["status"]) for c in calls] == [
        ("c1", "f", '{"a":1}', "completed"),
        ("c2", "g", "{}", "completed"),
        ("call_1_2", "h", "", "completed"),
    ]
    found = stream(events, reasoning="none")
    assert [e["type"].removeprefix("response.") for e in found[2:8]] == [
        "output_item.added",
        "function_call_arguments.delta",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
    ]


def test_a_call_is_added_with_its_first_arguments() -> None:
    events = [
        PROMPT,
        call(0, id="c1", name="get_"),
        call(0, name="weather"),
        call(0, '{"x":'),
        call(0, "4}"),
        DONE,
    ]
    _, _, added, *deltas, arguments_done, done, _ = stream(events, reasoning="none")
    assert added["type"] == "response.output_item.added"
    assert (added["item"]["name"], added["item"]["arguments"]) == ("get_weather", "")
    assert [event["delta"] for event in deltas] == ['{"x":', "4}"]
    assert arguments_done["type"] == "response.function_call_arguments.done"
    assert (arguments_done["name"], arguments_done["arguments"]) == ("get_weather", '{"x":4}')
    assert done["type"] == "response.output_item.done"
    assert done["item"] == {**added["item"], "arguments": '{"x":4}', "status": "completed"}


def test_a_complete_call_is_done_when_another_item_begins() -> None:
    events = [PROMPT, call(0, "{}", id="c1", name="f"), call(1, "{}", id="c2", name="g"), DONE]
    done = [
        event["output_index"]
        for event in stream(events, reasoning="none")[:8]
        if event["type"] == "response.output_item.done"
    ]
    assert done == [0]


def test_a_refusal_is_a_part_of_the_message() -> None:
    events = [PROMPT, Extra({"refusal": "I "}), Extra({"refusal": "can't."}), DONE]
    [message] = output(events, reasoning="none")
    assert message["content"] == [{"type": "refusal", "refusal": "I can't."}]
    types = [event["type"] for event in stream(events, reasoning="none")]
    assert types.count("response.refusal.delta") == 2
    assert "response.refusal.done" in types


@pytest.mark.parametrize("reasoning", ["none", "raw"])
def test_logprobs_are_added_to_the_output_text(reasoning: str) -> None:
    logprobs = Extra({}, choice={"logprobs": {"content": LOGPROBS}})
    events = [
        PROMPT,
        *([ReasoningDelta("a"), logprobs] if reasoning == "raw" else []),
        OutputDelta("a"),
        logprobs,
        OutputDelta("b"),
        Extra({}, choice={"logprobs": {"content": None}}),
        Extra({}, chunk={"service_tier": "flex"}),
        DONE,
    ]
    assert output(events, reasoning=reasoning)[-1]["content"] == [
        {"type": "output_text", "text": "ab", "annotations": [], "logprobs": LOGPROBS}
    ]
    found = stream(events, reasoning=reasoning)
    deltas = [e for e in found if e["type"] == "response.output_text.delta"]
    assert [(e["delta"], e["logprobs"]) for e in deltas] == [("a", []), ("", LOGPROBS), ("b", [])]
    assert found[-1]["response"]["service_tier"] == "flex"


def test_the_summary_models_tokens_are_reported_separately() -> None:
    events = [PROMPT, Done("stop", USAGE, Timings(), summarizer_usage={"prompt_tokens": 9})]
    usage = stream(events)[-1]["response"]["usage"]
    assert (usage["total_tokens"], usage["summarizer"]) == (3, {"prompt_tokens": 9})
    assert usage["estimated"] == "reasoning_tokens"


def test_a_keepalive_event_is_sent_at_most_once_a_minute() -> None:
    dialect = DIALECTS["responses"](answer())
    dialect.begin()
    beats = [dialect.heartbeat(ms) for ms in (15_000, 59_999, 60_000, 75_000, 130_000)]
    assert [b"keepalive" in beat for beat in beats] == [False, False, True, False, True]
    assert all(beat.startswith(b": ping\n\n") for beat in beats)
    assert beats[2].endswith(b'data: {"type":"keepalive","sequence_number":1}\n\n')


def test_a_call_that_was_cut_is_not_done() -> None:
    broke = Failed(UpstreamBroke("It broke.").info, Timings())
    cut = [call(0, id="c1", name="f"), call(0, '{"path":"/etc')]
    found = stream([PROMPT, OutputDelta("I look."), *cut, broke], reasoning="none")
    assert [event["type"].removeprefix("response.") for event in found[-5:]] == [
        "output_item.done",  # the message's, because the call began
        "output_item.added",
        "function_call_arguments.delta",
        "error",
        "failed",
    ]
    assert outline(found[-1]["response"]["output"]) == [("message", "I look.")]


def test_a_text_that_was_cut_is_not_done_but_in_the_output() -> None:
    broke = Failed(UpstreamBroke("It broke.").info, Timings())
    found = stream([PROMPT, OutputDelta("The ans"), broke], reasoning="none")
    assert [e["type"] for e in found[-3:-1]] == ["response.output_text.delta", "error"]
    [message] = found[-1]["response"]["output"]
    assert (message["status"], message["content"][0]["text"]) == ("incomplete", "The ans")


def test_a_429_fails_the_response_with_rate_limit_exceeded() -> None:
    error = UpstreamBroke("Slow down.")
    error.status = 429
    [*_, failed] = stream([PROMPT, Failed(error.info, Timings())])
    assert failed["response"]["error"]["code"] == "rate_limit_exceeded"
