"""The client's SSE decoder follows the WHATWG algorithm, however the bytes were cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import sse as gateway_sse
from gateway.terminal.sse import Decoder

STREAMS = st.lists(
    st.sampled_from(
        [
            b"data",
            b"event",
            b"id",
            b"done",
            b": ",
            b":",
            b" ",
            b"\n",
            b"\r",
            b"\r\n",
            b"\xff",
            b"\xef\xbb\xbf",
        ]
    ),
    max_size=40,
).map(b"".join)


def decode(*reads: bytes) -> list[tuple[str, bytes]]:
    decoder = Decoder()
    messages = [message for read in reads for message in decoder.feed(read)]
    return [tuple(message) for message in [*messages, *decoder.close()]]


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        # The examples of section 9.2.6 of the specification.
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [("", b"YHOO\n+2\n10")]),
        (
            b": test stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\ndata:  third\n\n",
            [("", b"first"), ("", b"second"), ("", b" third")],
        ),
        (b"data\n\ndata\ndata\n\n", [("", b""), ("", b"\n")]),
        (b"data:test\n\ndata: test\n\n", [("", b"test"), ("", b"test")]),
        (b"event: add\ndata: 7\n\ndata: 8\n\n", [("add", b"7"), ("", b"8")]),
        (b"event: lost\n\ndata: 8\n\n", [("", b"8")]),
        (b"\xef\xbb\xbfdata: after a BOM\n\n", [("", b"after a BOM")]),
        (b"retry: 10\nunknown: x\ndata: a\n\n", [("", b"a")]),
        (b"data: a\r\n\r\ndata: b\r\rdata: c\n\n", [("", b"a"), ("", b"b"), ("", b"c")]),
        (b"data: no blank line", [("", b"no blank line")]),
    ],
)
def test_streams_are_decoded(stream: bytes, messages: list[tuple[str, bytes]]) -> None:
    assert decode(stream) == messages
    assert decode(*(stream[i : i + 1] for i in range(len(stream)))) == messages


@given(STREAMS, st.lists(st.integers(0, 160)))
def test_messages_are_the_same_however_the_stream_is_cut(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    assert decode(*(stream[a:b] for a, b in pairwise(places))) == decode(stream)


@given(STREAMS)
def test_the_client_decodes_a_stream_as_the_gateway_does(stream: bytes) -> None:
    decoder = gateway_sse.Decoder()
    messages = [*decoder.feed(stream.splitlines()), *decoder.close()]
    assert decode(stream) == [(message.event, message.data) for message in messages]
