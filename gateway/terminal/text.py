"""Helpers for text from a model server, which may hold anything."""

_CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
_BYTES_PER_TOKEN = 4
"""As the gateway's own estimate assumes; see `gateway/core/tokens.py`."""


def strip_controls(text: str) -> str:
    """Removes control characters, which could steer the terminal; keeps LF and tab."""
    return text.translate(_CONTROLS)


def join_surrogates(text: str) -> str:
    """Joins surrogate pairs whose halves arrived in two deltas."""
    units = text.encode("utf-16-le", "surrogatepass")
    return units.decode("utf-16-le", "surrogatepass")


def utf8_size(text: str) -> int:
    """The length in UTF-8 bytes; accepts lone surrogates."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def estimate_tokens(size: int) -> int:
    """Estimates the number of tokens in a text of `size` UTF-8 bytes."""
    return -(-size // _BYTES_PER_TOKEN)
