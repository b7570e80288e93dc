"""`--interactive`, with prompts from a pipe."""

from typing import Any

import pytest
import responses
import urllib3

from tests.web.terminal.fake_gateway import assert_fails, run_client, sent_body, serve
from tests.web.terminal.transcripts import DONE_DATA, FAILURE, named_event


def turn_stream(*texts: str) -> bytes:
    deltas = [named_event("final_output_delta", {"text": text}) for text in texts]
    return b"".join(deltas) + named_event("done", DONE_DATA)


def test_earlier_turns_are_sent_as_history(gateway: responses.RequestsMock) -> None:
    for answer in ("one", "two", "three"):
        serve(gateway, turn_stream(answer))
    result = run_client("--interactive", "--prompt", "a", stdin="b\n\n  c\n/quit\nd\n")
    assert result.exit_code == 0
    assert [(m["role"], m["content"]) for m in sent_body(gateway, 2)["messages"]] == [
        ("user", "a"),
        ("assistant", "one"),
        ("user", "b"),
        ("assistant", "two"),
        ("user", "c"),
    ]
    assert len(gateway.calls) == 3
    assert result.stdout == "one\ntwo\nthree\n"


def test_a_failed_turn_is_left_out_and_the_conversation_continues(
    gateway: responses.RequestsMock,
) -> None:
    partial = named_event("final_output_delta", {"text": "The"})
    serve(gateway, partial + named_event("failed", FAILURE))
    serve(gateway, turn_stream("two"))
    result = run_client("--interactive", stdin="a\nb\n")
    assert (result.exit_code, sent_body(gateway, 1)["messages"]) == (
        0,
        [{"role": "user", "content": "b"}],
    )
    assert "Error: the turn failed: The upstream closed the connection.\n" in result.stderr


def test_a_conversation_whose_last_turn_failed_exits_with_1(
    gateway: responses.RequestsMock,
) -> None:
    serve(gateway, named_event("failed", FAILURE))
    result = run_client("--interactive", stdin="a\n")
    assert_fails(result, "the turn failed: The upstream closed the connection.")


def test_ctrl_c_stops_the_turn_and_keeps_the_partial_answer(
    gateway: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = iter([named_event("final_output_delta", {"text": "The"})])
    read1 = urllib3.HTTPResponse.read1

    def interrupted(self: Any, amt: int, decode_content: bool) -> bytes:
        for read in first:
            return read
        monkeypatch.setattr(urllib3.HTTPResponse, "read1", read1)
        raise KeyboardInterrupt

    monkeypatch.setattr(urllib3.HTTPResponse, "read1", interrupted)
    serve(gateway, b"")
    serve(gateway, turn_stream("two"))
    result = run_client("--interactive", stdin="a\nb\n")
    assert (result.exit_code, "Stopped.\n" in result.stderr) == (0, True)
    assert sent_body(gateway, 1)["messages"][1] == {"role": "assistant", "content": "The"}
