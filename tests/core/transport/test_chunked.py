"""Chunked bodies are decoded the same however the reads cut them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transport.chunked import ChunkedDecoder
from tests.core.cuts import cut, every_cut, places


def chunked(*pieces: bytes, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    chunks = [b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces]
    return b"".join([*chunks, b"0\r\n", trailers, b"\r\n"])


def decode(reads: list[bytes]) -> tuple[bytes, bool, bytes]:
    decoder = ChunkedDecoder()
    data = b"".join(map(decoder.feed, reads))
    return data, decoder.ended, decoder.rest


@pytest.mark.parametrize(
    ("stream", "result"),
    [
        (chunked(b"hello", b" world\r\n"), (b"hello world\r\n", True, b"")),
        (chunked(), (b"", True, b"")),
        (chunked(b"a", extension=b" ; name=value"), (b"a", True, b"")),
        (chunked(b"a", trailers=b"Expires: never\r\nX: y\r\n"), (b"a", True, b"")),
        (chunked(b"a").replace(b"\r\n", b"\n"), (b"a", True, b"")),
        (chunked(b"a" * 300).replace(b"12c", b"012C"), (b"a" * 300, True, b"")),
        (chunked(b"a") + b"HTTP/1.1 200 OK", (b"a", True, b"HTTP/1.1 200 OK")),
        (
            chunked(*[b"abc"] * 9, b"\r\n3", b"abc", b"3\r\n"),
            (b"abc" * 9 + b"\r\n3abc3\r\n", True, b""),
        ),
        (chunked(b"a", b"b") + b"1\r\nc\r\n", (b"ab", True, b"1\r\nc\r\n")),
        (chunked(b"a", b"b", trailers=b"1\r\n"), (b"ab", True, b"")),
        (b"5\r\nhel", (b"hel", False, b"")),
        (b"5\r\nhello", (b"hello", False, b"")),
    ],
)
def test_cuts_do_not_change_the_data(stream: bytes, result: tuple[bytes, bool, bytes]) -> None:
    for reads in every_cut(stream):
        assert decode(reads) == result


@pytest.mark.parametrize(
    "stream",
    [
        b"x\r\n",
        b"-1\r\n",
        b"+1\r\na",
        b"0x1\r\na",
        b"1_0\r\n",
        b"\r\n",
        b"f" * 16 + b"\r\n",
        b"1\r\nab\r\n",
        b"1\r\na\r\n1\r\nab\r\n",
        b"1\r\na\r\n1 \r\n1\r\n\n",
        b"1" * 70000,
    ],
)
def test_bytes_that_are_not_chunked_are_a_fault(stream: bytes) -> None:
    for reads in ([stream], [stream[:1], stream[1:]]):
        decode_faulty(*reads)


def test_data_before_a_fault_is_returned() -> None:
    assert decode_faulty(b"5\r\nhello\r\nx\r\n") == b"hello"
    assert decode_faulty(b"5\r\nhello\r\n", b"x\r\n") == b"hello"


def decode_faulty(*reads: bytes) -> bytes:
    """The data of a body that has a fault."""
    decoder = ChunkedDecoder()
    data = b"".join(map(decoder.feed, reads))
    assert decoder.fault is not None
    assert not decoder.ended
    return data


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), places)
def test_any_body_in_any_reads_is_decoded(pieces: list[bytes], where: list[int]) -> None:
    assert decode(cut(chunked(*pieces), where)) == (b"".join(pieces), True, b"")
