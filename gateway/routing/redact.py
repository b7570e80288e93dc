"""Removes keys from upstreams' texts before they are shown or logged."""

import re
from collections.abc import Callable, Iterable


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """Returns a function that replaces each of these secrets in a text by "…"."""
    longest_first = sorted(set(filter(None, secrets)), key=len, reverse=True)
    if not longest_first:
        return str
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    return lambda text: pattern.sub("…", text)
