"""Compressed request bodies are decoded, and never to more than the limit."""

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadRequest, BodyTooLarge, UnsupportedMedia
from gateway.web.content_coding import decode_body


def raw_deflate(data: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return encoder.compress(data) + encoder.flush()


def streamed_zstd(data: bytes) -> bytes:
    """Without the length of the content, as a client that streams sends it."""
    encoder = zstandard.ZstdCompressor().compressobj()
    return encoder.compress(data) + encoder.flush()


ENCODERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("zstd", zstandard.compress),
    ("zstd", streamed_zstd),
    ("br", brotli.compress),
    ("identity", bytes),
    ("", bytes),
]


@pytest.mark.parametrize(("name", "encode"), ENCODERS)
@given(data=st.binary(max_size=200))
def test_a_body_is_decoded(name: str, encode: Callable[[bytes], bytes], data: bytes) -> None:
    assert decode_body(encode(data), name, 200) == data


def test_codings_are_undone_from_the_last_to_the_first() -> None:
    data = brotli.compress(gzip.compress(b"{}"))
    assert decode_body(data, "GZip, identity, br", 99) == b"{}"


@pytest.mark.parametrize(("name", "encode"), ENCODERS[:7])
def test_a_body_is_never_decoded_beyond_the_limit(
    name: str, encode: Callable[[bytes], bytes]
) -> None:
    body = encode(b" " * 300_000)
    assert len(decode_body(body, name, 300_000)) == 300_000
    with pytest.raises(BodyTooLarge):
        decode_body(body, name, 299_999)


@pytest.mark.parametrize(("name", "encode"), ENCODERS[:7])
def test_a_broken_or_truncated_body_is_refused(name: str, encode: Callable[[bytes], bytes]) -> None:
    body = encode(b"a" * 50 + b"bc" * 50)
    for broken in (b'{"a":1}', b"", body[:5]):
        with pytest.raises(BadRequest, match=f"not {name}"):
            decode_body(broken, name, 999)


@pytest.mark.parametrize("name", ["compress", "gzip, made-up", "gzip, gzip, gzip, gzip"])
def test_an_unknown_coding_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedMedia):
        decode_body(b"{}", name, 99)
