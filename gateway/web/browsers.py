"""Which web pages may use the gateway, and under which names it answers.

A page of another origin can send requests to a gateway on its reader's machine: as a form or with
`no-cors`, which need no preflight request (CSRF), or under a name of its own that it points to
127.0.0.1 (DNS rebinding). The API therefore wants JSON by its Content-Type, refuses foreign origins
and, on a loopback address, names that are not loopback's.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Blueprint, Response

from gateway.errors import HostNotAllowed, OriginNotAllowed
from gateway.server.admin import is_admin
from gateway.web.request import GatewayRequest, current_request

_SAME_ORIGIN = frozenset({"same-origin", "none"})
"""Of `Sec-Fetch-Site`; `none`: the user typed the address. A sibling domain or another port is
`same-site`, so it is foreign."""
_EXPOSED = "X-Request-Id, X-Stream-Id, request-id, Retry-After, x-should-retry"
_METHODS = "GET, POST, DELETE, OPTIONS"
_PREFLIGHT_S = 600
_READY = "/ready"
"""Answered under every name: load balancers probe it by address, and its answer reveals nothing."""


def add_checks(blueprint: Blueprint, origins: Sequence[str], hosts: Sequence[str]) -> None:
    """Adds checks: of the host for every request, of the origin for those to the blueprint.

    origins: as browsers spell them, or `*`. hosts: globs over names without ports.
    """
    allowed = frozenset(origin.lower() for origin in origins)

    def is_allowed(origin: str) -> bool:
        return bool(origin) and ("*" in allowed or origin.lower() in allowed)

    @blueprint.before_app_request
    def check_host() -> None:
        request = current_request()
        host = _name_of(request.headers.get("Host", ""))
        if not host or request.path == _READY or _is_loopback(host):
            return
        # Operators may call ADMIN_BIND by any name, unless it is on a loopback address.
        is_limited = bool(hosts) and not is_admin(request.environ)
        if not is_limited and not _is_loopback(request.environ["SERVER_NAME"]):
            return
        if not any(fnmatchcase(host, glob.lower()) for glob in hosts):
            raise HostNotAllowed(host)

    @blueprint.before_request
    def check_origin() -> None:
        request = current_request()
        origin = request.headers.get("Origin", "")
        if not is_allowed(origin) and _is_foreign(request, origin):
            raise OriginNotAllowed(origin)

    if not allowed:
        return

    @blueprint.after_app_request
    def allow_origin(response: Response) -> Response:
        request = current_request()
        origin = request.headers.get("Origin", "")
        response.vary.add("Origin")
        if not is_allowed(origin):
            return response
        headers = response.headers
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = _EXPOSED
        if request.method == "OPTIONS":
            headers["Access-Control-Allow-Methods"] = _METHODS
            if wanted := request.headers.get("Access-Control-Request-Headers"):
                headers["Access-Control-Allow-Headers"] = wanted
            if request.headers.get("Access-Control-Request-Private-Network") == "true":
                headers["Access-Control-Allow-Private-Network"] = "true"
            headers["Access-Control-Max-Age"] = str(_PREFLIGHT_S)
        return response


def _is_foreign(request: GatewayRequest, origin: str) -> bool:
    """Whether a browser says that a page of another origin sent the request.

    Over plain HTTP, browsers send `Sec-Fetch-Site` only to loopback. Elsewhere the origin's name is
    compared, without its port, which a proxy may have dropped from the Host.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in _SAME_ORIGIN:
        return True
    return bool(origin) and _name_of_origin(origin) != _name_of(request.headers.get("Host", ""))


def _name_of(host: str) -> str:
    """A Host header without its port, in lower case."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name = host.partition(":")[0] if host.count(":") == 1 else host
    return name.removesuffix(".")


def _name_of_origin(origin: str) -> str | None:
    try:
        parts = urlsplit(origin)
        return parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        return None


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
