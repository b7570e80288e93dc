"""Seals a model's thoughts: clients can return them, but can't read or change them.

Some models refuse a conversation in which they called a tool and their reasoning is missing. So
clients get it sealed, in the field of their API for encrypted reasoning: the `signature` of a
thinking block, the `encrypted_content` of a reasoning item, or a block of OpenRouter's
`reasoning_details` in chat completions. A seal is valid for one model.
"""

import base64
import secrets
import zlib
from collections.abc import Sequence
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.core.thoughts import MAX_THOUGHT_CHARS, ThoughtRecord, decode_record, encode_record

_PREFIX = "gw2."
_NONCE_BYTES = 12
_MAX_SEAL_CHARS = 512 * 1024
_MAX_BYTES = 16 * MAX_THOUGHT_CHARS
"""The largest opened seal. A character of the text takes at most 12 bytes in ASCII; the other 4 are
for the blocks."""


class Sealer:
    """Seals with the first key, and opens with any of the keys."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """keys: each of 32 bytes."""
        self._ciphers = [AESGCM(key) for key in keys]

    def seal(self, model: str, thoughts: ThoughtRecord) -> str:
        """Returns the thoughts as a text that only :meth:`open` can read."""
        data = zlib.compress(encode_record(thoughts).encode("ascii"))
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._ciphers[0].encrypt(nonce, data, model.encode("utf-8", "replace"))
        return _PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode("ascii")

    def open(self, model: str, seal: str) -> ThoughtRecord | None:
        """Returns the thoughts; None if the text is no seal of this gateway for this model."""
        if not seal.startswith(_PREFIX) or len(seal) > _MAX_SEAL_CHARS:
            return None
        try:
            raw = base64.urlsafe_b64decode(seal.removeprefix(_PREFIX).encode("ascii"))
        except ValueError:
            return None
        nonce, sealed = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
        for cipher in self._ciphers:
            try:
                data = cipher.decrypt(nonce, sealed, model.encode("utf-8", "replace"))
            except (InvalidTag, ValueError):
                continue
            try:
                return decode_record(zlib.decompressobj().decompress(data, _MAX_BYTES).decode())
            except ValueError:
                return None
        return None


@lru_cache(maxsize=4)
def sealer(keys: tuple[bytes, ...]) -> Sealer:
    """Returns the sealer with these keys."""
    return Sealer(keys)
