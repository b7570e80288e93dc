"""The kinds of values that settings have, and what they have to be."""

import re
import ssl
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

Format = Literal["phased", "events", "openai", "plain"]
ReasoningMode = Literal["summary", "raw", "both", "none"]
Detail = Literal["auto", "concise", "detailed"]
SummaryRule = Literal["asked", "always"]
"""Where an API has its own way to ask for a summary: only then, or always."""
OtherTools = Literal["refuse", "skip"]
"""What becomes of tools that only OpenAI's own servers can run."""

_DAY_S = 86400
Seconds = Annotated[float, Meta(gt=0, le=_DAY_S)]
Count = Annotated[int, Meta(gt=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]
Markers = Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)]

_certificates: dict[str, str] = {}
"""What files of certificates held that were good, by their paths."""


def plain_name(model: str) -> str:
    """A model's name without path, with "-" for "_", and "3.5" for the "3p5" of some hosts."""
    name = model.lower().rpartition("/")[2].replace("_", "-")
    return re.sub(r"(?<=\d)p(?=\d)", ".", name)


def is_glob(name: str) -> bool:
    """Does it stand for more than one name?"""
    return any(wildcard in name for wildcard in "*?[")


def check_address(name: str, address: str) -> None:
    """Raises ValueError for what is no http or https address."""
    try:
        url = urlsplit(address)
        known = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:  # a port that is no number
        known = False
    if not known:
        raise ValueError(f"{name} must be an http or https address, not {address!r}")


def check_certificates(name: str, path: str) -> None:
    """Raises ValueError for what is no file of certificates."""
    try:
        found = Path(path).read_text("ascii", "ignore")  # notes may stand between them
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found)
    except (ssl.SSLError, ValueError):
        raise ValueError(f"{name}: {path!r} holds no certificates that can be read") from None
    except OSError as error:
        raise ValueError(f"{name}: {path!r} can't be read: {error.strerror}") from None
    _certificates[path] = found


def certificates(path: str) -> str:
    """What a file held when it was last checked and was good, whatever it holds by now.

    A worker that is started later must not find less; see gateway.loaded.
    """
    return _certificates[path]


def is_field_text(text: str) -> bool:
    """May it stand in an HTTP header?"""
    return text.isascii() and (text.isprintable() or not text)
