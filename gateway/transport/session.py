"""The session over which an upstream is called: requests' own, without what never changes.

requests looks at each call for a proxy, for the pool that an address and its TLS settings belong
to, and for cookies; urllib3 asks the event loop whether a kept connection still stands. An upstream
is one address, asked again and again.
"""

import select
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import gevent.monkey
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import create_urllib3_context

poll = gevent.monkey.get_original("select", "poll")
"""Not the patched one, which would switch greenlets to ask a question that never waits."""


def make_session(max_connections: int, certificates: str | None = None) -> requests.Session:
    """A session that many users share: no cookies, no proxies or .netrc of the environment.

    certificates: PEM, of authorities that are trusted beside the common ones.
    """
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers = requests.structures.CaseInsensitiveDict({"User-Agent": "reasoning-gateway"})
    adapter = _Adapter(certificates, pool_maxsize=max_connections, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _Adapter(HTTPAdapter):
    """For an address or two, always with the same TLS settings."""

    def __init__(self, certificates: str | None, **options: Any) -> None:
        self._pools: dict[str | None, Any] = {}
        self._certificates = certificates
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        if self._certificates is not None:
            # What requests trusts comes in beside them.
            options["ssl_context"] = context = create_urllib3_context()
            context.load_verify_locations(cadata=self._certificates)
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *settings: Any, **more: Any
    ) -> Any:
        if (pool := self._pools.get(request.url)) is None:
            pool = super().get_connection_with_tls_context(request, *settings, **more)
            self._pools[request.url] = pool
        return pool

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        return request.path_url

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.reason = resp.status, resp.reason
        response.headers = resp.headers  # which don't mind the case either
        response.raw, response.request, response.url = resp, req, req.url or ""
        return response


class _Kept:
    """A connection that knows without waiting whether the other end has closed it."""

    sock: Any

    @property
    def is_connected(self) -> bool:
        """Nothing can be read from it: neither an end nor what nobody asked for."""
        if self.sock is None:
            return False
        asked = poll()
        asked.register(self.sock, select.POLLIN)
        return not asked.poll(0)


class _Connection(_Kept, HTTPConnection):
    pass


class _TlsConnection(_Kept, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
