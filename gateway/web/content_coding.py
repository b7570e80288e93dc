"""Decodes request bodies that a client has compressed: gzip, deflate, zstd and br."""

import zlib
from collections.abc import Callable, Mapping
from functools import partial

import brotli
import zstandard

from gateway.errors import BadRequest, BodyTooLarge, UnsupportedMedia

_MAX_CODINGS = 3
"""Limit for the codings of one body."""
_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024
"""The largest window that RFC 9659 lets a sender use."""

_ZSTD_STEP_BYTES = 512
"""Bytes decoded at once. A block of 4 bytes may stand for 128 KiB, so one step gives at most 16 MiB
before the result is compared with the limit."""


def decode_body(data: bytes, content_encoding: str, max_bytes: int) -> bytes:
    """Returns the body without the codings of its Content-Encoding.

    Raises UnsupportedMedia for an unknown coding, BadRequest for data that is not in its coding,
    and BodyTooLarge as soon as the decoded body exceeds `max_bytes`.
    """
    codings = [name for name in map(str.strip, content_encoding.lower().split(",")) if name]
    codings = [name for name in codings if name != "identity"]
    if len(codings) > _MAX_CODINGS or not _DECODERS.keys() >= set(codings):
        raise UnsupportedMedia(
            "Send the body without a Content-Encoding, or in one of gzip, deflate, zstd and br."
        )
    for name in reversed(codings):
        try:
            data = _DECODERS[name](data, max_bytes)
        except (zlib.error, zstandard.ZstdError, brotli.error, EOFError):
            raise BadRequest(f"The body is not {name}, which its Content-Encoding names.") from None
        if len(data) > max_bytes:
            raise BodyTooLarge(
                "The decoded body is larger than the gateway accepts (MAX_BODY_BYTES)."
            )
    return data


def _inflate(data: bytes, max_bytes: int, *, window_bits: int) -> bytes:
    decoder = zlib.decompressobj(window_bits)
    decoded = decoder.decompress(data, max_bytes + 1)
    if not decoder.eof and len(decoded) <= max_bytes:
        raise EOFError
    return decoded


def _deflate(data: bytes, max_bytes: int) -> bytes:
    """Decodes deflate with or without the zlib header: clients call both by that name."""
    try:
        return _inflate(data, max_bytes, window_bits=zlib.MAX_WBITS)
    except zlib.error:
        return _inflate(data, max_bytes, window_bits=-zlib.MAX_WBITS)


def _zstd(data: bytes, max_bytes: int) -> bytes:
    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()
    decoded = bytearray()
    for at in range(0, len(data), _ZSTD_STEP_BYTES):
        decoded += decoder.decompress(data[at : at + _ZSTD_STEP_BYTES])
        if decoder.eof or len(decoded) > max_bytes:
            return bytes(decoded)
    raise EOFError


def _brotli(data: bytes, max_bytes: int) -> bytes:
    decoder = brotli.Decompressor()
    decoded = decoder.process(data, output_buffer_limit=max_bytes + 1)
    # brotli 1.2 stops at the end of an output buffer, so the result may exceed the limit.
    if not decoder.is_finished() and decoder.can_accept_more_data():
        raise EOFError
    return bytes(decoded)


_GZIP = partial(_inflate, window_bits=16 + zlib.MAX_WBITS)
_DECODERS: Mapping[str, Callable[[bytes, int], bytes]] = {
    "gzip": _GZIP,
    "x-gzip": _GZIP,
    "deflate": _deflate,
    "zstd": _zstd,
    "br": _brotli,
}
