"""The phases arrive one after the other, in time, in every format: real gunicorn, real mock."""

import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

import mock_upstream
from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, chunked, say
from tests.live.wire import FORMATS, Frame, Transcript, ask, in_parallel, parse_stream, request_body
from tests.programs import start_gateway

NOT_DETECTED = "Reasoning not detected."
SUMMARY = "I should greet in one sentence. Keep it short."
GREETING = "Hi! Nice to meet you."


def listen(
    url: str, format: str, model: str, reasoning: str = "summary", prompt: str = "hi", **more: Any
) -> tuple[int, Transcript]:
    """The status and what was told, whether as a stream or as a refusal."""
    options = {"format": format, "reasoning": reasoning, **more.pop("gateway", {})}
    with ask(url, request_body(model, prompt, gateway=options, **more)) as stream:
        if stream.status != 200:
            refused = Transcript()
            refused.error = json.loads(stream.response.read())["error"]
            return stream.status, refused
        return stream.status, parse_stream(format, stream.read_all(), reasoning)


def joined(text: str) -> str:
    """The text with the halves of its surrogate pairs put together."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


def shown_summary(format: str, said: Transcript) -> str:
    """The reasoning summary as a reader of this format sees it."""
    return said.summary.removeprefix("[Reasoning Summary] ").strip()


# --- In time --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def by_hand(upstream: Upstream) -> Iterator[str]:
    """A gateway in front of the upstream made by hand."""
    with start_gateway(upstream.url) as gateway:
        yield gateway.url


def has(format: str, text: str) -> Any:
    return lambda frame: frame.event != ":" and text in frame.data


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_waits_for_what_comes_after_it(
    upstream: Upstream, by_hand: str, format: str
) -> None:
    """The upstream sends the next piece only after the client has seen the one before."""
    words = ["one ", "two ", "three ", "four"]
    gates = [threading.Event() for _ in range(len(words) + 2)]
    script: list[Any] = [gates[0], CHUNKED, gates[1]]
    pieces = ["<think>\nA short thought.\n</think>\n\n" + words[0], *words[1:]]
    for piece, gate in zip(pieces, gates[2:], strict=True):
        script += [*chunked(say(piece), end=False), gate]
    script += chunked([FINISH, DONE])
    upstream.set_script(f"step-{format}", *script)
    body = request_body(f"step-{format}", "Count!", gateway={"format": format})

    if format == "openai":
        gates[0].set()  # its status waits for the upstream's
    with ask(by_hand, body) as stream:
        if format == "plain":
            stream.read_until(lambda frame: frame.event == ":")
        else:
            stream.read_until(has(format, "Count!"))
        gates[0].set()
        gates[1].set()
        for number, word in enumerate(words):
            stream.read_until(has(format, f'"{word}"'))
            gates[2 + number].set()
        said = parse_stream(format, stream.read_all())
    assert said.answer == "".join(words)


def test_the_summary_grows_while_the_model_thinks(gateway_url: str) -> None:
    """Some hundred words of reasoning at 500 tokens a second: about one second of live lines."""

    def check(format: str) -> None:
        body = request_body("long-thinking@tps=500", gateway={"format": format})
        with ask(gateway_url, body) as stream:
            frames = stream.read_all()
        times = [f.at_s for f in frames if is_live(format, f)]
        first_word = next(f.at_s for f in frames if is_answer(format, f))
        assert len(times) >= 3
        assert first_word - times[0] > 0.5
        assert times[-1] - times[0] > 0.2
        assert len({round(t, 2) for t in times}) >= 3  # each on its own, no lump at the end
        assert times[-1] <= first_word

    in_parallel(check, ["phased", "events", "openai"])


def is_live(format: str, frame: Frame) -> bool:
    if format == "events":
        return frame.event == "reasoning_summary_delta"
    live = frame.event == "" and '"phase":"reasoning_summary"' in frame.data
    return live and '"delta":{}' not in frame.data


def is_answer(format: str, frame: Frame) -> bool:
    if format == "events":
        return frame.event == "final_output_delta"
    in_phase = format == "plain" or '"phase":"final_output"' in frame.data
    return in_phase and '"content"' in frame.data


@pytest.mark.parametrize("format", ["phased", "events", "plain"])
def test_the_first_byte_does_not_wait_for_a_slow_upstream(gateway_url: str, format: str) -> None:
    with ask(gateway_url, request_body("slow-start", gateway={"format": format})) as stream:
        assert next(iter(stream)).at_s < 0.5


def test_the_answer_flows_at_the_pace_of_the_model(gateway_url: str) -> None:
    def check(format: str) -> None:
        body = request_body("no-reasoning@tps=40", "Explain streaming APIs", max_tokens=40)
        with ask(gateway_url, {**body, "gateway": {"format": format}}) as stream:
            times = [f.at_s for f in stream if is_answer(format, f)]
        gaps = [after - before for before, after in itertools.pairwise(times)]
        assert len(times) >= 30  # in an unlucky moment two of them share a read
        assert times[-1] - times[0] > 0.8
        assert max(gaps) < 0.3

    in_parallel(check)


# --- Headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_the_headers_of_a_stream(gateway_url: str, format: str) -> None:
    with ask(
        gateway_url, request_body("default@tps=0"), path=f"/{format}/v1/chat/completions"
    ) as s:
        headers = s.headers
        stream_id = headers["X-Stream-Id"]
        assert (format in ("events", "plain")) or stream_id in next(iter(s)).data
        s.read_all()
    assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert headers["Cache-Control"] == "no-cache, no-transform"
    assert headers["X-Accel-Buffering"] == "no"
    assert headers["Transfer-Encoding"] == "chunked"
    assert headers["X-Request-Id"]
    assert "Content-Length" not in headers
    assert "Content-Encoding" not in headers


# --- Every model of the mock ----------------------------------------------------------------------

REFUSED = {  # model -> status in the formats that wait for it, code, a word of the sentence
    "error-400": (400, "context_length_exceeded", "8192"),
    "error-401": (502, "upstream_refused", "UPSTREAM_API_KEY"),
    "error-500": (502, "upstream_refused", "error while processing"),
    "rate-limited": (429, "rate_limit_exceeded", "7s"),
}
BROKEN = {  # model -> code
    "cut": "upstream_broke_off",
    "cut-thinking": "upstream_broke_off",
    "error-in-stream": "out_of_memory",
    "garbage": "upstream_bad_chunk",
    "html": None,  # any code: it is a failure
}
WHOLE = [name for name in mock_upstream.MODELS if name not in REFUSED | BROKEN]
SPEED = {"slow-start": "delay=0.1,tps=0", "silent": "silence=0.1,tps=0"}


def named(model: str) -> str:
    return f"{model}@{SPEED.get(model, 'tps=0')}"


@pytest.mark.parametrize("model", WHOLE)
def test_every_model_that_answers_is_whole_in_every_format(gateway_url: str, model: str) -> None:
    script = mock_upstream.MODELS[model]
    reasoning, answer = script.say("hi")
    inside = {"starts_inside": True} if model == "starts-inside" else {}
    for format in FORMATS:
        status, said = listen(gateway_url, format, named(model), gateway=inside)
        assert (status, said.error) == (200, None)
        if script.tool_calls:
            assert said.answer == "" or format == "plain"
            if format != "plain":
                called = [(name, json.loads(text)) for name, text in said.tools.values()]
                arguments = {"location": "Paris", "unit": "celsius"}
                assert called == [("get_weather", arguments)] * script.tool_calls
        else:
            assert joined(said.answer) == answer
        if format != "plain":
            reason = "tool_calls" if script.tool_calls else script.finish_reason
            assert said.finish_reason == reason
            shown = shown_summary(format, said)
            assert said.prompt_summary.removeprefix("[Prompt Summary] ").strip() == "hi"
            assert (shown == NOT_DETECTED) is (script.markup is None)
            if reasoning == SUMMARY and script.markup and not script.tool_calls:
                assert shown == SUMMARY


@pytest.mark.parametrize("model", WHOLE)
def test_the_trace_is_what_the_model_thought(gateway_url: str, model: str) -> None:
    script = mock_upstream.MODELS[model]
    reasoning = mock_upstream.tool_reply("hi")[0] if script.tool_calls else script.say("hi")[0]
    inside = {"starts_inside": True} if model == "starts-inside" else {}
    for format in ("phased", "events", "openai"):
        for mode in ("raw", "both", "none"):
            _, said = listen(gateway_url, format, named(model), mode, gateway=inside)
            assert said.error is None
            expected = reasoning if script.markup and mode != "none" else ""
            assert said.trace.strip("\n") == expected
            assert bool(shown_summary(format, said)) is (mode == "both")


@pytest.mark.parametrize("model", [*REFUSED, *BROKEN])
def test_every_model_that_fails_ends_in_one_clear_failure(gateway_url: str, model: str) -> None:
    for number, format in enumerate(FORMATS):
        # A model of its own for each: its rate limit is obeyed.
        status, said = listen(gateway_url, format, f"{model}@tps={1000 + number}")
        assert said.error is not None
        message = said.error["message"]
        assert message.endswith(".")
        if model in REFUSED:
            refused_status, code, word = REFUSED[model]
            assert word in message
            assert status == (refused_status if format == "openai" else 200)
        else:
            code = BROKEN[model]
            assert status == 200
        if format == "plain":
            assert said.error["code"] == (REFUSED[model][0] if model in REFUSED else 502)
        else:
            assert code in (None, said.error["code"])


def test_what_was_said_before_a_cut_is_delivered(gateway_url: str) -> None:
    for format in FORMATS:
        _, said = listen(gateway_url, format, "cut@tps=0")
        assert said.answer == "Hi! Nice"
        _, said = listen(gateway_url, format, "cut-thinking@tps=0", "raw")
        assert format == "plain" or SUMMARY.startswith(said.trace.strip())
        assert format == "plain" or said.trace.strip()


def test_a_rate_limit_comes_back_with_its_retry_after(gateway_url: str) -> None:
    body = request_body("rate-limited", gateway={"format": "openai"})
    with ask(gateway_url, body) as stream:
        assert (stream.status, stream.headers["Retry-After"]) == (429, "7")


# --- Not streamed, prompt requests, natural language ----------------------------------------------


@pytest.mark.parametrize("reasoning", ["summary", "raw", "both", "none"])
def test_an_answer_in_one_piece(gateway_url: str, reasoning: str) -> None:
    body = request_body("default@tps=0", stream=False, gateway={"reasoning": reasoning})
    answer = requests.post(f"{gateway_url}/v1/chat/completions", json=body, timeout=10).json()
    message = answer["choices"][0]["message"]
    assert message["content"] == GREETING
    assert message.get("reasoning") == (None if reasoning == "none" else SUMMARY)
    assert message.get("reasoning_content") == message.get("reasoning")
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] == 23
    assert answer["phases"]["prompt_summary"] == "hi"
    assert ("reasoning" in answer["phases"]) is (reasoning in ("raw", "both"))
    shows_summary = reasoning in ("summary", "both")
    assert answer["phases"]["reasoning_summary"] == (SUMMARY if shows_summary else None)


@pytest.mark.parametrize("model", [*REFUSED, *BROKEN])
def test_an_answer_in_one_piece_fails_with_a_status(gateway_url: str, model: str) -> None:
    body = request_body(named(model), stream=False)
    response = requests.post(f"{gateway_url}/v1/chat/completions", json=body, timeout=10)
    expected = REFUSED[model][0] if model in REFUSED else 502
    assert response.status_code == expected
    assert response.json()["error"]["message"]


def test_a_tool_call_in_one_piece(gateway_url: str) -> None:
    body = request_body("tool-call@tps=0", stream=False)
    answer = requests.post(f"{gateway_url}/v1/chat/completions", json=body, timeout=10).json()
    call = answer["choices"][0]["message"]["tool_calls"][0]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"location": "Paris", "unit": "celsius"}
    assert answer["choices"][0]["finish_reason"] == "tool_calls"


def test_a_prompt_request_gets_the_answer_alone(gateway_url: str) -> None:
    with ask(gateway_url, {"prompt": "Explain streaming APIs", "stream": True}) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        frames = stream.frames
        first = next(f for f in stream if f.event != ":")
        assert first.at_s < 2.4
        for frame in stream:
            if len(frames) > 60:
                break
            assert list(frame.json) == ["choices"]
    times = [f.at_s for f in frames if f.event != ":"]
    assert (len(times) - 1) / (times[-1] - times[0]) > 29  # tokens a second


def test_the_answer_to_a_prompt_is_long_enough(gateway_url: str) -> None:
    body = {"prompt": "Explain streaming APIs", "stream": True, "model": "default@tps=0"}
    with ask(gateway_url, body) as stream:
        said = parse_stream("plain", stream.read_all())
    assert len(said.answer) >= 1378
    assert len(stream.frames) > 6
    assert "streaming API" in said.answer


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"prompt": "", "stream": True}, "Prompt cannot be empty"),
        ({"prompt": "x" * 5001, "stream": True}, "Prompt exceeds maximum length"),
        ({"prompt": "x"}, "stream parameter must be true"),
    ],
)
def test_a_prompt_request_is_refused_word_for_word(
    gateway_url: str, body: dict[str, Any], message: str
) -> None:
    with ask(gateway_url, body) as stream:
        assert stream.status == 400
        assert [f.json for f in stream.read_all()] == [{"error": message, "code": 400}]


def test_natural_language_keeps_its_phrases(gateway_url: str) -> None:
    """Reasoning begins with "Let me think", and "Therefore," belongs to the answer."""
    _, said = listen(gateway_url, "events", "mock-natural@tps=0", "raw")
    assert said.trace.startswith("Let me think about")
    assert said.answer == "Therefore, my answer is this: " + GREETING


def test_text_of_every_kind_comes_through(gateway_url: str) -> None:
    """Line separators, surrogate pairs cut in half, and what people write with."""
    for format in FORMATS:
        _, said = listen(gateway_url, format, "unicode@tps=0", "raw")
        assert joined(said.answer) == mock_upstream.UNICODE.answer
        assert format == "plain" or said.trace.strip("\n") == mock_upstream.UNICODE.reasoning


def test_usage_is_the_upstreams(gateway_url: str) -> None:
    _, said = listen(gateway_url, "events", "default@tps=0")
    assert said.usage is not None
    assert said.usage["completion_tokens"] == 23
    for format in ("phased", "openai"):
        _, said = listen(gateway_url, format, "default@tps=0")
        assert said.usage is None
        asked = {"stream_options": {"include_usage": True}}
        _, said = listen(gateway_url, format, "default@tps=0", **asked)
        assert said.usage is not None
        assert said.usage["total_tokens"] == 24
