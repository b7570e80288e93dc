"""The log has one line for each turn, and never the text of a prompt or an answer."""

import errno
import io
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from gateway import Config, create_app
from gateway.observe.log import make_logger
from tests.programs import ROOT
from tests.web.conftest import COMPLETIONS, UPSTREAM, answers

KEY = "sk-of-the-gateway"
PROMPT = "words-of-the-prompt"
THOUGHT = "words-of-the-reasoning"
ANSWER = "words-of-the-answer"
SECRETS = (KEY, PROMPT, THOUGHT, ANSWER)
FINISH = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9}}
Lines = list[dict[str, Any]]


def content(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}


def documented_fields() -> set[str]:
    """The fields that docs/operating.md lists."""
    text = (ROOT / "docs/operating.md").read_text()
    table = text.partition("| field | meaning |")[2].partition("\n\n")[0]
    return {
        name
        for row in table.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    return make_client(upstream_api_key=KEY)


def ask(client: FlaskClient, **more: Any) -> None:
    body = {"messages": [{"role": "user", "content": PROMPT}], "stream": True, **more}
    client.post("/v1/chat/completions", json=body).get_data()


def play(upstream: responses.RequestsMock, case: str) -> None:
    whole = [content(f"<think>{THOUGHT}</think>"), content(ANSWER), FINISH, USAGE, "[DONE]"]
    match case:
        case "done":
            answers(upstream, *whole)
        case "cut":
            answers(upstream, *whole[:2])
        case "error in the stream":
            answers(upstream, *whole[:2], {"error": {"message": f"{KEY} {PROMPT}", "code": KEY}})
        case "refused":
            error = {"error": {"message": f"{KEY}: {PROMPT}", "code": KEY, "type": KEY}}
            upstream.post(COMPLETIONS, status=400, json=error)
        case "broken chunk":
            answers(upstream, *whole[:2], f"{{broken {ANSWER}")


CASES = ("done", "cut", "error in the stream", "refused", "broken chunk")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("options", [{}, {"gateway": {"format": "openai"}}, {"stream": False}])
def test_a_turn_is_one_line_without_keys_or_text(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    logged: Lines,
    case: str,
    options: dict[str, Any],
) -> None:
    play(upstream, case)
    ask(client, **options)
    [line] = logged
    assert line["event"] == "turn"
    assert not [secret for secret in SECRETS if secret in repr(line)]
    assert (line["end"] == "done") == (case == "done") == ("code" not in line)


def test_the_docs_list_every_field(
    make_client: Callable[..., FlaskClient],
    upstream: responses.RequestsMock,
    logged: Lines,
) -> None:
    client = make_client()
    play(upstream, "done")
    ask(client)
    ask(client, n=2, gateway={"format": "openai"})
    upstream.reset()
    play(upstream, "refused")
    ask(client)
    names = set().union(*logged) | {"timestamp"}
    assert names <= documented_fields()
    elsewhere = {"given_up", "summarizer", "thinking_ended", "answer_forced_ms", "way"}
    elsewhere |= {"continued_from", "status", "thoughts_replaced"}
    assert documented_fields() - names == elsewhere  # see the tests of these


def test_counts_and_times_are_right(
    client: FlaskClient, upstream: responses.RequestsMock, logged: Lines
) -> None:
    play(upstream, "done")
    began = time.monotonic()
    ask(client, model="m")
    took_ms = (time.monotonic() - began) * 1000
    [line] = logged
    assert (line["model"], line["family"], line["format"]) == ("m", "tags", "phased")
    assert (line["end"], line["finish_reason"]) == ("done", "stop")
    assert line["usage"] == USAGE["usage"]
    assert (line["estimated_reasoning_tokens"], line["estimated_output_tokens"]) == (6, 5)
    assert (line["attempts"], line["heartbeats"]) == (1, 0)
    assert line["writes"] >= 2
    assert line["sent_bytes"] > len(ANSWER)
    times = [
        line[f"{name}_ms"]
        for name in ("prompt_summary", "first_reasoning", "first_summary", "first_output", "total")
    ]
    assert times == sorted(times)
    assert 0 <= line["longest_gap_ms"] <= took_ms + 1


def test_the_request_id_reaches_client_log_and_upstream(
    client: FlaskClient, upstream: responses.RequestsMock, logged: Lines
) -> None:
    play(upstream, "done")
    body = {"messages": [{"role": "user", "content": "hi"}], "stream": True}
    for sent in ("mine-1", None):
        headers = {"X-Request-Id": sent} if sent else {}
        response = client.post("/v1/chat/completions", json=body, headers=headers)
        response.get_data()
        returned = response.headers["X-Request-Id"]
        assert sent in (returned, None)
        assert logged[-1]["request"] == returned
        # The whole id would let a reader of the log read a kept stream.
        assert logged[-1]["stream"] == response.headers["X-Stream-Id"][:20]
        assert upstream.calls[-1].request.headers["X-Request-Id"] == returned


def test_a_log_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    log = make_logger(Config())
    log.info("turn", model="two\nlines\u2028 and \x1b[31m", usage={"completion_tokens": 1})
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["event"] == "turn"


class FullDisk(io.StringIO):
    """Standard output on a full disk."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_does_not_break_an_answer(
    upstream: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", FullDisk())
    client = create_app(Config(upstream_url=UPSTREAM)).test_client()
    play(upstream, "done")
    body = {"messages": [{"role": "user", "content": PROMPT}], "stream": True}
    assert client.post("/v1/chat/completions", json=body).text.endswith("data: [DONE]\n\n")
    assert b'end="done"' in client.get("/metrics").data
