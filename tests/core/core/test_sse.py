"""The decoder follows the WHATWG algorithm, however the lines are split into reads."""

import json

import pytest
import sseclient
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.sse import Decoder, Message, comment, dumps, frame, quote


def decode(stream: bytes) -> list[Message]:
    """Decodes the stream at once, line by line, and with more after it; the results must agree."""
    lines = stream.splitlines()
    whole = Decoder().feed(lines)
    singly = Decoder()
    assert [message for line in lines for message in singly.feed([line])] == whole
    followed = Decoder().feed([*lines, b"", b"data: more", b""])
    assert followed[: len(whole)] == whole
    return whole


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        # The examples of section 9.2.6 of the specification.
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("", b"YHOO\n+2\n10", None)]),
        (
            b": test stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n",
            [("", b"first", "1"), ("", b"second", ""), ("", b" third", "")],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [("", b"", None), ("", b"\n", None)]),
        (b"data:test\n\ndata: test\n\n", [("", b"test", None), ("", b"test", None)]),
        (b"event: add\ndata: 7\n\ndata: 8\n\n", [("add", b"7", None), ("", b"8", None)]),
        (b"event: lost\n\ndata: 8\n\n", [("", b"8", None)]),
        (b"\xef\xbb\xbfdata: after a BOM\n\n", [("", b"after a BOM", None)]),
        (b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n", [("", b"a", "1"), ("", b"b", "1")]),
        (b"retry: 10\nunknown: x\ndata: a\n\n", [("", b"a", None)]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [("", b"a", None), ("", b"b", None)]),
    ],
)
def test_a_stream_is_decoded_as_specified(
    stream: bytes, messages: list[tuple[str, bytes, str | None]]
) -> None:
    assert [tuple(message) for message in decode(stream)] == messages


def test_a_last_message_without_a_blank_line_is_not_lost() -> None:
    decoder = Decoder()
    assert decoder.feed([b"data: last words"]) == []
    assert decoder.close() == [Message("", b"last words", None)]


@given(st.text(), st.sampled_from(["", "phase", "done"]), st.sampled_from(["", "7"]))
def test_a_frame_is_decoded_to_its_text_here_and_by_sseclient(
    text: str, event: str, id: str
) -> None:
    framed = comment("ping") + frame(quote(text), event, id)
    [message] = Decoder().feed(framed.split(b"\n"))
    assert (json.loads(message.data), message.event, message.id or "") == (text, event, id)
    [other] = sseclient.SSEClient([framed]).events()
    assert json.loads(other.data) == text


@given(st.text())
def test_a_frame_is_ascii_with_one_data_line(text: str) -> None:
    framed = frame(quote(text))
    assert framed.isascii()
    assert framed.count(b"\n") == 2
    assert b"\r" not in framed


def test_lone_surrogates_are_kept() -> None:
    assert json.loads(quote("\ud83d") + "") == "\ud83d"


def test_infinity_and_nan_become_null() -> None:
    value = {"a": [float("-inf"), {"b": float("nan")}, 1.5], "c": "NaN"}
    assert json.loads(dumps(value), parse_constant=pytest.fail) == {
        "a": [None, {"b": None}, 1.5],
        "c": "NaN",
    }
