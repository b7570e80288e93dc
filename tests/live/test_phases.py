"""Phases arrive in order and in time in every format, with real gunicorn and the mock."""

import itertools
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from gateway.mock.models import MODELS
from gateway.mock.replies import tool_reply
from gateway.mock.texts import UNICODE
from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, chunked, say
from tests.live.wire import FORMATS, Frame, Transcript, ask, in_parallel, parse_stream, request_body
from tests.machine import allowed
from tests.programs import start_gateway

NOT_DETECTED = "Reasoning not detected."
SUMMARY = "I should greet in one sentence and keep it short."
GREETING = "Hi! Nice to meet you."


def ask_model(
    url: str, format: str, model: str, reasoning: str = "summary", prompt: str = "hi", **more: Any
) -> tuple[int, Transcript]:
    """Returns the status and the transcript of a stream or an error response."""
    options = {"format": format, "reasoning": reasoning, **more.pop("gateway", {})}
    with ask(url, request_body(model, prompt, gateway=options, **more)) as stream:
        if stream.status != 200:
            transcript = Transcript()
            transcript.error = json.loads(stream.response.read())["error"]
            return stream.status, transcript
        return stream.status, parse_stream(format, stream.read_all(), reasoning)


def join_surrogates(text: str) -> str:
    """Joins the halves of surrogate pairs."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


def shown_summary(format: str, result: Transcript) -> str:
    """The reasoning summary without the format's heading."""
    return result.summary.removeprefix("[Reasoning Summary] ").strip()


# --- Timing --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def scripted_url(upstream: Upstream) -> Iterator[str]:
    """A gateway in front of the scripted upstream."""
    with start_gateway(upstream.url) as gateway:
        yield gateway.url


def has(format: str, text: str) -> Any:
    return lambda frame: frame.event != ":" and text in frame.data


@pytest.mark.parametrize("format", FORMATS)
def test_every_piece_arrives_before_the_next_is_sent(
    upstream: Upstream, scripted_url: str, format: str
) -> None:
    """The upstream sends the next piece only after the client has the previous one."""
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
    with ask(scripted_url, body) as stream:
        if format == "plain":
            stream.read_until(lambda frame: frame.event == ":")
        else:
            stream.read_until(has(format, "Count!"))
        gates[0].set()
        gates[1].set()
        for number, word in enumerate(words):
            stream.read_until(has(format, f'"{word}"'))
            gates[2 + number].set()
        result = parse_stream(format, stream.read_all())
    assert result.answer == "".join(words)


def test_live_summary_lines_arrive_while_the_model_thinks(gateway_url: str) -> None:
    """515 tokens of reasoning at 500 a second: two lines, half a second apart."""

    def check(format: str) -> None:
        body = request_body("long-thinking@tps=500", gateway={"format": format})
        with ask(gateway_url, body) as stream:
            frames = stream.read_all()
        times = [f.at_s for f in frames if is_live(format, f)]
        first_word = next(f.at_s for f in frames if is_answer(format, f))
        assert len(times) >= 2
        assert first_word - times[0] > 0.5
        assert times[-1] - times[0] > 0.2
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
        assert next(iter(stream)).at_s < allowed(0.5)


def test_the_answer_arrives_at_the_pace_of_the_model(gateway_url: str) -> None:
    def check(format: str) -> None:
        body = request_body("no-reasoning@tps=40", "Explain streaming APIs", max_tokens=40)
        with ask(gateway_url, {**body, "gateway": {"format": format}}) as stream:
            times = [f.at_s for f in stream if is_answer(format, f)]
        gaps = [after - before for before, after in itertools.pairwise(times)]
        assert len(times) >= 30  # two of them may share a read
        assert times[-1] - times[0] > 0.8
        assert max(gaps) < 0.3

    in_parallel(check)


# --- Headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_streams_have_these_headers(gateway_url: str, format: str) -> None:
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

REFUSED = {  # model -> status (in formats that wait for it), code, a word of the message
    "error-400": (400, "context_length_exceeded", "8192"),
    "error-401": (424, "upstream_refused", "UPSTREAM_API_KEY"),
    "error-500": (502, "upstream_refused", "error while processing"),
    "rate-limited": (429, "rate_limit_exceeded", "7s"),
}
BROKEN = {  # model -> code
    "cut": "upstream_broke_off",
    "cut-thinking": "upstream_broke_off",
    "error-in-stream": "out_of_memory",
    "garbage": "upstream_bad_chunk",
    "html": None,  # a failure with any code
}
WHOLE = [name for name in MODELS if name not in REFUSED | BROKEN]
SPEED = {"slow-start": "delay=0.1,tps=0", "silent": "silence=0.1,tps=0"}


def without_delays(model: str) -> str:
    return f"{model}@{SPEED.get(model, 'tps=0')}"


@pytest.mark.parametrize("model", WHOLE)
def test_every_working_model_is_complete_in_every_format(gateway_url: str, model: str) -> None:
    script = MODELS[model]
    reasoning, answer = script.reply("hi")
    inside = {"starts_inside": True} if model == "starts-inside" else {}
    for format in FORMATS:
        status, result = ask_model(gateway_url, format, without_delays(model), gateway=inside)
        assert (status, result.error) == (200, None)
        if script.tool_calls:
            assert result.answer == "" or format == "plain"
            if format != "plain":
                called = [(name, json.loads(text)) for name, text in result.tools.values()]
                arguments = {"location": "Paris", "unit": "celsius"}
                assert called == [("get_weather", arguments)] * script.tool_calls
        else:
            assert join_surrogates(result.answer) == answer
        if format != "plain":
            reason = "tool_calls" if script.tool_calls else script.finish_reason
            assert result.finish_reason == reason
            shown = shown_summary(format, result)
            assert result.prompt_summary.removeprefix("[Prompt Summary] ").strip() == "hi"
            assert (shown == NOT_DETECTED) is (script.markup is None)
            if reasoning == SUMMARY and script.markup and not script.tool_calls:
                assert shown == SUMMARY


@pytest.mark.parametrize("model", WHOLE)
def test_the_trace_is_the_model_s_reasoning(gateway_url: str, model: str) -> None:
    script = MODELS[model]
    reasoning = tool_reply("hi")[0] if script.tool_calls else script.reply("hi")[0]
    inside = {"starts_inside": True} if model == "starts-inside" else {}
    for format in ("phased", "events", "openai"):
        for mode in ("raw", "both", "none"):
            _, result = ask_model(gateway_url, format, without_delays(model), mode, gateway=inside)
            assert result.error is None
            expected = reasoning if script.markup and mode != "none" else ""
            assert result.trace.strip("\n") == expected
            assert bool(shown_summary(format, result)) is (mode == "both")


@pytest.mark.parametrize("model", [*REFUSED, *BROKEN])
def test_every_failing_model_ends_in_one_clear_failure(gateway_url: str, model: str) -> None:
    for number, format in enumerate(FORMATS):
        # Each format gets its own model, because the gateway obeys a model's Retry-After.
        status, result = ask_model(gateway_url, format, f"{model}@tps={1000 + number}")
        assert result.error is not None
        message = result.error["message"]
        assert message.endswith(".")
        if model in REFUSED:
            refused_status, code, word = REFUSED[model]
            assert word in message
            assert status == (refused_status if format == "openai" else 200)
        else:
            code = BROKEN[model]
            assert status == 200
        if format == "plain":
            assert result.error["code"] == (REFUSED[model][0] if model in REFUSED else 502)
        else:
            assert code in (None, result.error["code"])


def test_text_before_a_cut_is_delivered(gateway_url: str) -> None:
    for format in FORMATS:
        _, result = ask_model(gateway_url, format, "cut@tps=0")
        assert result.answer == "Hi! Nice"
        _, result = ask_model(gateway_url, format, "cut-thinking@tps=0", "raw")
        assert format == "plain" or SUMMARY.startswith(result.trace.strip())
        assert format == "plain" or result.trace.strip()


def test_a_rate_limit_keeps_its_retry_after(gateway_url: str) -> None:
    body = request_body("rate-limited", gateway={"format": "openai"})
    with ask(gateway_url, body) as stream:
        assert (stream.status, stream.headers["Retry-After"]) == (429, "7")


# --- Not streamed, prompt requests, natural language ----------------------------------------------


@pytest.mark.parametrize("reasoning", ["summary", "raw", "both", "none"])
def test_an_answer_that_is_not_streamed(gateway_url: str, reasoning: str) -> None:
    body = request_body("default@tps=0", stream=False, gateway={"reasoning": reasoning})
    answer = requests.post(f"{gateway_url}/v1/chat/completions", json=body, timeout=60).json()
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
def test_an_answer_that_is_not_streamed_fails_with_a_status(gateway_url: str, model: str) -> None:
    body = request_body(without_delays(model), stream=False)
    response = requests.post(f"{gateway_url}/v1/chat/completions", json=body, timeout=60)
    expected = REFUSED[model][0] if model in REFUSED else 502
    assert response.status_code == expected
    assert response.json()["error"]["message"]


def test_a_tool_call_that_is_not_streamed(gateway_url: str) -> None:
    body = request_body("tool-call@tps=0", stream=False)
    answer = requests.post(f"{gateway_url}/v1/chat/completions", json=body, timeout=60).json()
    call = answer["choices"][0]["message"]["tool_calls"][0]
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"location": "Paris", "unit": "celsius"}
    assert answer["choices"][0]["finish_reason"] == "tool_calls"


def test_a_prompt_request_gets_only_the_answer(gateway_url: str) -> None:
    with ask(gateway_url, {"prompt": "Explain streaming APIs", "stream": True}) as stream:
        assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        frames = stream.frames
        first = next(f for f in stream if f.event != ":")
        assert first.at_s < allowed(2.4)
        for frame in stream:
            if len(frames) > 60:
                break
            assert list(frame.json) == ["choices"]
    times = [f.at_s for f in frames if f.event != ":"]
    assert (len(times) - 1) / (times[-1] - times[0]) > 29  # tokens a second


def test_the_answer_to_a_prompt_is_long_enough(gateway_url: str) -> None:
    body = {"prompt": "Explain streaming APIs", "stream": True, "model": "default@tps=500"}
    with ask(gateway_url, body) as stream:
        result = parse_stream("plain", stream.read_all())
    assert len(result.answer) >= 1378
    assert len(stream.frames) > 6
    assert "streaming API" in result.answer


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"prompt": "", "stream": True}, "Prompt cannot be empty"),
        ({"prompt": "x" * 5001, "stream": True}, "Prompt exceeds maximum length"),
        ({"prompt": "x"}, "stream parameter must be true"),
    ],
)
def test_invalid_prompt_requests_get_these_messages(
    gateway_url: str, body: dict[str, Any], message: str
) -> None:
    with ask(gateway_url, body) as stream:
        assert stream.status == 400
        assert [f.json for f in stream.read_all()] == [{"error": message, "code": 400}]


def test_phrases_stay_in_the_text(gateway_url: str) -> None:
    """The reasoning begins with "Let me think", the answer with "Therefore,"."""
    _, result = ask_model(gateway_url, "events", "mock-natural@tps=0", "raw")
    assert result.trace.startswith("Let me think about")
    assert result.answer == "Therefore, my answer is this: " + GREETING


def test_unusual_unicode_arrives_unchanged(gateway_url: str) -> None:
    """Line separators, surrogate pairs that are cut in half, and other scripts."""
    for format in FORMATS:
        _, result = ask_model(gateway_url, format, "unicode@tps=0", "raw")
        assert join_surrogates(result.answer) == UNICODE.answer
        assert format == "plain" or result.trace.strip("\n") == UNICODE.reasoning


def test_usage_comes_from_the_upstream(gateway_url: str) -> None:
    _, result = ask_model(gateway_url, "events", "default@tps=0")
    assert result.usage is not None
    assert result.usage["completion_tokens"] == 23
    for format in ("phased", "openai"):
        _, result = ask_model(gateway_url, format, "default@tps=0")
        assert result.usage is None
        asked = {"stream_options": {"include_usage": True}}
        _, result = ask_model(gateway_url, format, "default@tps=0", **asked)
        assert result.usage is not None
        assert result.usage["total_tokens"] == 24
