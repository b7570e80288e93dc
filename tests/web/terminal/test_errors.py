"""Every failure exits with status 1 and prints one line."""

from typing import Any

import pytest
import requests
import responses
import urllib3

from tests.web.terminal.fake_gateway import (
    CHAT,
    PROMPT_ARGS,
    SECTION_ARGS,
    URL,
    assert_fails,
    connection_refused,
    run_client,
    serve,
)
from tests.web.terminal.transcripts import (
    ANSWER_SECTION,
    FAILURE,
    STREAMS,
    chunk,
    data,
    named_event,
)

CONNECTION_ERRORS = {
    "cannot reach a gateway at http://gateway.test:8080: "
    "start one with `reasoning-gateway serve`, or choose another with --url": connection_refused(),
    "no data from http://gateway.test:8080 for 120 s (--timeout changes the limit)": (
        requests.ReadTimeout()
    ),
    "http://gateway.test:8080 closed the connection without a response": (
        requests.ConnectionError(urllib3.exceptions.ProtocolError("aborted"))
    ),
    "the request to http://gateway.test:8080 failed: too many redirects": (
        requests.TooManyRedirects("too many\nredirects")
    ),
}


@pytest.mark.parametrize("args", [PROMPT_ARGS, ["--health"], ["--check"]], ids=" ".join)
@pytest.mark.parametrize("sentence", CONNECTION_ERRORS)
def test_connection_errors_are_one_line(
    gateway: responses.RequestsMock, sentence: str, args: list[str]
) -> None:
    gateway.post(CHAT, body=CONNECTION_ERRORS[sentence])
    gateway.get(f"{URL}/health", body=CONNECTION_ERRORS[sentence])
    result = run_client(*args)
    assert_fails(result, sentence)
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, b'{"error":{"message":"There is no model x."}}', "There is no model x."),
        (400, b'data: {"error":"Prompt cannot be empty","code":400}\n\n', "Prompt cannot be empty"),
        (502, b"<html>Bad Gateway</html>", "Bad Gateway"),
        (500, b"", "Internal Server Error"),
        (400, b'{"error":{"message":"two\\nlines \\u001b[1m"}}', "two lines [1m"),
    ],
)
def test_an_http_error_shows_the_servers_message(
    gateway: responses.RequestsMock, status: int, body: bytes, message: str
) -> None:
    serve(gateway, body, status)
    assert_fails(run_client(*PROMPT_ARGS), f"{URL} returned {status}: {message}")


def test_a_rejected_key_is_reported_with_the_option_to_use(
    gateway: responses.RequestsMock,
) -> None:
    gateway.post(f"{URL}/v1/chat/completions", status=401, json={"error": {"message": "No."}})
    failure = f"{URL} returned 401: No. (pass a key with --api-key)"
    assert_fails(run_client(*PROMPT_ARGS), failure)
    assert_fails(run_client("--check"), failure)


PARTIAL_SECTION = "[FINAL RESPONSE]\nThe\n"


@pytest.mark.parametrize(
    ("format", "stream"),
    [
        (
            "events",
            named_event("final_output_delta", {"text": "The"}) + named_event("failed", FAILURE),
        ),
        ("phased", chunk("final_output", {"content": "The"}) + data(FAILURE) + data("[DONE]")),
        ("openai", chunk("final_output", {"content": "The"}) + data(FAILURE) + data("[DONE]")),
        (
            "plain",
            data({"choices": [{"delta": {"content": "The"}}]})
            + data({"error": "The upstream closed the connection.", "code": 502}),
        ),
    ],
)
def test_a_failed_turn_shows_the_partial_answer_and_the_error(
    gateway: responses.RequestsMock, format: str, stream: bytes
) -> None:
    serve(gateway, stream)
    result = run_client(*SECTION_ARGS, "--format", format)
    assert_fails(result, "the turn failed: The upstream closed the connection.")
    assert result.stdout == PARTIAL_SECTION


@pytest.mark.parametrize("format", STREAMS)
def test_a_stream_without_its_end_is_reported_as_incomplete(
    gateway: responses.RequestsMock, format: str
) -> None:
    stream = STREAMS[format]("none")
    ends = {
        "events": b"event: done",
        "messages": b"event: message_stop",
        "responses": b"event: response.completed",
    }
    end = ends.get(format, b"data: [DONE]")
    serve(gateway, stream[: stream.index(end)])
    result = run_client(*SECTION_ARGS, "--format", format)
    assert_fails(result, "the stream ended without `done`: the answer is incomplete")
    assert result.stdout.endswith(ANSWER_SECTION)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            urllib3.exceptions.ProtocolError(),
            "the connection was lost before the answer was complete",
        ),
        (
            urllib3.exceptions.ReadTimeoutError(None, None, "timed out"),  # type: ignore[arg-type]
            f"no data from {URL} for 3 s (--timeout changes the limit)",
        ),
    ],
)
def test_a_connection_lost_mid_answer_keeps_the_partial_answer(
    gateway: responses.RequestsMock,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    sentence: str,
) -> None:
    reads = iter([named_event("final_output_delta", {"text": "The"})])

    def read1(self: Any, amt: int, decode_content: bool) -> bytes:
        for read in reads:
            return read
        raise error

    monkeypatch.setattr(urllib3.HTTPResponse, "read1", read1)
    serve(gateway, b"")
    result = run_client(*SECTION_ARGS, "--timeout", "3")
    assert_fails(result, sentence)
    assert result.stdout == PARTIAL_SECTION


@pytest.mark.parametrize("body", [b"data: {nonsense\n\n", b"data: [1]\n\n", b"data: \xff\n\n"])
def test_a_message_that_is_no_json_object_is_an_error(
    gateway: responses.RequestsMock, body: bytes
) -> None:
    serve(gateway, body)
    shown = body[6:-2].decode("utf-8", "replace")
    assert_fails(run_client(*PROMPT_ARGS), f"expected a JSON object, got: {shown}")


def test_a_response_that_is_no_event_stream_is_an_error(gateway: responses.RequestsMock) -> None:
    gateway.post(CHAT, body="<html>", content_type="text/html")
    assert_fails(run_client(*PROMPT_ARGS), f"{CHAT} returned text/html, not an event stream")


def test_ctrl_c_exits_with_130(gateway: responses.RequestsMock) -> None:
    def stop(request: requests.PreparedRequest) -> Any:
        raise KeyboardInterrupt

    gateway.add_callback("POST", CHAT, stop)
    result = run_client(*PROMPT_ARGS)
    assert (result.exit_code, result.output) == (130, "")
