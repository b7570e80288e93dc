"""Keys are taken out of what others say before it is shown or logged."""

import re
from collections.abc import Callable, Iterable


def redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    """What puts "…" in the place of each of these secrets."""
    longest_first = sorted(set(filter(None, secrets)), key=len, reverse=True)
    if not longest_first:
        return str
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    return lambda text: pattern.sub("…", text)
