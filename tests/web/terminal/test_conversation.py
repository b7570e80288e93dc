"""`--interactive`, with prompts from a pipe."""

from pathlib import Path
from typing import Any

import pytest
import responses
import urllib3

from tests.web.terminal.fake_gateway import URL, assert_fails, run_client, sent_body, serve
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


def test_new_begins_again_and_retry_asks_again(gateway: responses.RequestsMock) -> None:
    for answer in ("one", "two", "three"):
        serve(gateway, turn_stream(answer))
    run_client("--interactive", stdin="a\n/new\nb\n/retry\n")
    for call in (1, 2):
        assert sent_body(gateway, call)["messages"] == [{"role": "user", "content": "b"}]
    assert len(gateway.calls) == 3


def test_retry_after_a_failed_turn_asks_the_failed_prompt(gateway: responses.RequestsMock) -> None:
    serve(gateway, turn_stream("one"))
    serve(gateway, named_event("failed", FAILURE))
    serve(gateway, turn_stream("two"))
    result = run_client("--interactive", stdin="a\nb\n/retry\n")
    assert result.exit_code == 0
    said = [m["content"] for m in sent_body(gateway, 2)["messages"]]
    assert said == ["a", "one", "b"]


def test_model_goes_on_with_another_or_lists_them(gateway: responses.RequestsMock) -> None:
    serve(gateway, turn_stream("one"))
    gateway.get(f"{URL}/v1/models", json={"data": [{"id": "big"}, {"id": "small"}]})
    result = run_client("--interactive", stdin="/model small\na\n/model\n")
    assert sent_body(gateway, 0)["model"] == "small"
    assert "Now: small. There are:\n  big\n  small\n" in result.stderr


def test_save_writes_markdown_once(gateway: responses.RequestsMock, tmp_path: Path) -> None:
    serve(gateway, turn_stream("one"))
    file = tmp_path / "talk.md"
    result = run_client("--interactive", stdin=f"a\n/save {file}\n/save {file}\n/save\n")
    assert file.read_text() == "## Prompt\n\na\n\n## Answer\n\none\n"
    assert f"Saved to {file}." in result.stderr
    assert "exists; choose another name" in result.stderr
    assert "/save needs the name of a file" in result.stderr


def test_help_lists_every_command_and_an_unknown_one_is_no_prompt(
    gateway: responses.RequestsMock,
) -> None:
    result = run_client("--interactive", stdin="/help\n/hepl\n")
    for name in ("/help", "/new", "/model", "/retry", "/save", "/quit"):
        assert f"{name} " in result.stderr
    assert "There is no command /hepl" in result.stderr
    assert len(gateway.calls) == 0


def test_a_path_is_a_prompt(gateway: responses.RequestsMock) -> None:
    serve(gateway, turn_stream("one"))
    run_client("--interactive", stdin="/etc/hosts: what is it?\n")
    assert sent_body(gateway, 0)["messages"][0]["content"] == "/etc/hosts: what is it?"
