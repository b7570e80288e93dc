"""Removes keys from upstreams' texts before they are shown or logged."""

import re
from collections.abc import Callable, Iterable

_MIN_CHARS = 4
"""Shorter secrets are not replaced: that would blank letters everywhere, and hide nothing."""
_UNMISTAKABLE_CHARS = 12
"""A shorter secret, such as the key `EMPTY`, may be part of another word, so it is replaced only as
a whole word."""


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Returns a function that replaces these secrets in a text with "…"."""
    known = {secret for secret in secrets if len(secret) >= _MIN_CHARS}
    if not known:
        return str
    longest_first = sorted(known, key=len, reverse=True)
    pattern = re.compile("|".join(map(_pattern, longest_first)))
    return lambda text: pattern.sub("…", text)


def _pattern(secret: str) -> str:
    escaped = re.escape(secret)
    return escaped if len(secret) >= _UNMISTAKABLE_CHARS else rf"(?<!\w){escaped}(?!\w)"
