"""The types of settings, and checks that types can't express."""

import re
import ssl
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from gateway.errors import ConfigError

Format = Literal["phased", "events", "openai", "plain"]
ReasoningMode = Literal["summary", "raw", "both", "none"]
Detail = Literal["auto", "concise", "detailed"]
SummaryRule = Literal["asked", "always"]
"""Whether APIs in which a request can ask for a summary send it only then, or always."""
OtherTools = Literal["refuse", "skip"]
"""What to do with tools that only OpenAI's servers can run."""

LATEST = ":latest"
"""The tag that Ollama's clients add to a model's name without one."""

_DAY_S = 86400
Seconds = Annotated[float, Meta(gt=0, le=_DAY_S)]
Count = Annotated[int, Meta(gt=0)]
Port = Annotated[int, Meta(ge=0, le=65535)]
HEADER_VALUE = "only printable ASCII can"
"""Ends a message about a value that "can't be sent in a header"."""
Markers = Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/]+\Z", re.IGNORECASE)
_NOT_IN_ADDRESS = re.compile(r'[\s\\"<>]')
"""urllib accepts these characters in an address, or drops them silently."""
LOGIN = re.compile(r"//.*@", re.DOTALL)
"""The user and the password in an address."""
_NAME = re.compile(r"[\w.-]+\Z")
_HOST = re.compile(r"[\w.*-]+\Z|[0-9a-f:]+\Z", re.IGNORECASE)

_certificates: dict[str, str] = {}
"""Path → the certificates that the file held when it was last checked."""


def plain_name(model: str) -> str:
    """Returns a model's name without its path and its ways of spelling.

    It is in lower case, with "-" in place of "_" and "3.5" in place of "3p5".
    """
    name = model.lower().rpartition("/")[2].replace("_", "-")
    return re.sub(r"(?<=\d)p(?=\d)", ".", name)


def is_glob(name: str) -> bool:
    """Whether the name holds a wildcard."""
    return any(wildcard in name for wildcard in "*?[")


def items_of(setting: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """Returns the items of a comma-separated setting, or of the file's list."""
    items = setting.split(",") if isinstance(setting, str) else setting
    return tuple(filter(None, map(str.strip, items or ())))


def check_origins(name: str, origins: tuple[str, ...]) -> None:
    """Raises ConfigError unless each is an origin as browsers send it, `null` or `*`."""
    if not origins:
        raise ConfigError("there is no origin in it", setting=name)
    for origin in origins:
        if origin not in ("*", "null") and ("*" in origin or not _ORIGIN.match(origin)):
            what = f"{origin!r} is not an origin like 'https://chat.example'"
            raise ConfigError(what, setting=name)


def check_hosts(name: str, hosts: tuple[str, ...]) -> None:
    """Raises ConfigError unless each is a host's name without scheme and port."""
    if not hosts:
        raise ConfigError("there is no name in it", setting=name)
    for host in hosts:
        if not _HOST.match(host):
            what = f"{host!r} is not a name like 'chat.example', without a port"
            raise ConfigError(what, setting=name)


def check_listen(name: str, host: str) -> None:
    """Raises ConfigError unless it is an address or a name to listen on, without a port."""
    try:
        is_valid = bool(ip_address(host.partition("%")[0]) if ":" in host else _NAME.match(host))
    except ValueError:
        is_valid = False
    if not is_valid:
        what = f"{host!r} is not an address like '127.0.0.1' or '::1', without scheme and port"
        raise ConfigError(what, setting=name)


def host_in_url(host: str) -> str:
    """Returns a host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def parse_bind(name: str, text: str) -> tuple[str, int]:
    """Returns the host and the port to listen on. Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):  # an IPv6 address
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    if not (colon and host and port.isascii() and port.isdecimal() and int(port) <= 65535):
        what = f"{text!r} is not an address and a port like '127.0.0.1:9090'"
        raise ConfigError(what, setting=name)
    return host, int(port)


def check_address(name: str, address: str) -> None:
    """Raises ConfigError if it is not an http or https address."""
    try:
        url = urlsplit(address)
        valid = (
            url.scheme in ("http", "https")
            and bool(url.hostname)
            and url.port != 0
            and _NOT_IN_ADDRESS.search(address) is None
        )
    except ValueError:  # the port is not a number
        valid = False
    if not valid:
        shown = LOGIN.sub("//…@", address)
        what = f"{shown!r} is not an address like 'http://127.0.0.1:8000'"
        if "://" not in address:
            what += "; it begins with http:// or https://"
        raise ConfigError(what, setting=name)


def check_store(name: str, address: str) -> None:
    """Raises ConfigError if it is not the address of a Redis server."""
    try:
        url = urlsplit(address)
        valid = (
            url.scheme in ("redis", "rediss")
            and bool(url.hostname)
            and url.port != 0
            and re.fullmatch(r"/?|/[0-9]{1,5}", url.path) is not None
            and not (url.query or url.fragment)
        )
    except ValueError:  # the port is not a number
        valid = False
    if not valid:
        shown = LOGIN.sub("//…@", address)
        what = f"{shown!r} is neither 'memory' nor an address like 'redis://127.0.0.1:6379/0'"
        raise ConfigError(what, setting=name)


def check_networks(name: str, networks: str) -> None:
    """Raises ConfigError unless each is an address, a network or `*`, as gunicorn wants them."""
    for network in map(str.strip, filter(None, networks.split(","))):
        try:
            ip_network(network if network != "*" else "::")
        except ValueError:
            what = f"{network!r} is not an address, a network like '10.0.0.0/8' or *"
            raise ConfigError(what, setting=name) from None


def check_certificates(name: str, path: str) -> None:
    """Raises ConfigError if the file can't be read or holds no certificates."""
    try:
        found = Path(path).read_text("ascii", "ignore")  # comments may be in any encoding
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found)
    except (ssl.SSLError, ValueError):
        raise ConfigError(f"{path!r} holds no valid certificates", setting=name) from None
    except OSError as error:
        raise ConfigError(f"{path!r} can't be read: {error.strerror}", setting=name) from None
    _certificates[path] = found


def certificates(path: str) -> str:
    """Returns the file's certificates as :func:`check_certificates` last accepted them.

    The file may have changed since, but a worker that starts later must get the same certificates
    as the others (see gateway.loaded).
    """
    return _certificates[path]


def is_header_name(text: str) -> bool:
    """Whether the text is a valid name of an HTTP header."""
    return _TOKEN.match(text) is not None


def is_header_value(text: str) -> bool:
    """Whether the text may be sent in an HTTP header."""
    return text.isascii() and (text.isprintable() or not text)
