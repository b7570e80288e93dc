"""The requests session for upstreams, without the work that requests repeats at every call.

At each call, requests 2.34 looks up proxies, cookies, and the pool for the address with its TLS
settings; urllib3 2.8 asks the event loop whether a kept connection is still open. An upstream has
one address and fixed settings, so all this is done once or not at all.
"""

import http.client
import select
import socket
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import gevent.monkey
import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.util import create_urllib3_context

from gateway.transport.addresses import Connector

Session = requests.Session
"""For the other rooms, which do not import requests."""

_MAX_INTERIM = 100
"""Limit for the interim answers (1xx) before an answer."""
_poll = gevent.monkey.get_original("select", "poll")
"""select.poll before gevent 26.9 patched it: the patched one switches greenlets even if its timeout
is 0."""


def make_session(max_connections: int, certificates: str | None = None) -> requests.Session:
    """Returns a session without cookies, proxies and .netrc, which concurrent requests may share.

    certificates: PEM of authorities to trust in addition to requests' own.
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
    """An adapter for a few addresses with fixed TLS settings.

    It overrides methods of requests 2.34 that compute the same for every request.
    """

    def __init__(self, certificates: str | None, **options: Any) -> None:
        self._pools: dict[str | None, Any] = {}
        self._certificates = certificates
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        if self._certificates is not None:
            # requests 2.34 adds its own authorities to this context when it connects.
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
        response.headers = resp.headers  # urllib3's own mapping ignores case as well
        response.raw, response.request, response.url = resp, req, req.url or ""
        return response


_connector = Connector()


class _OwnConnection:
    """Connects with :class:`Connector`, and checks a kept connection with poll(2).

    urllib3 2.8 itself looks names up without a time limit, and uses gevent's patched select.
    """

    sock: Any
    host: str
    _dns_host: str
    port: int
    timeout: Any
    socket_options: Any

    def _new_conn(self) -> socket.socket:
        """Replaces the method that both HTTPConnection and HTTPSConnection connect with."""
        host = self._dns_host.strip("[]")
        try:
            return _connector.connect(host, self.port, self.timeout, self.socket_options or ())
        except UnicodeError:
            raise LocationParseError(f"{host!r}, label empty or too long") from None
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"{self.host} did not answer in time") from error
        except OSError as error:
            raise NewConnectionError(self, f"{error}") from error  # type: ignore[arg-type]

    @property
    def is_connected(self) -> bool:
        """Whether the kept connection can be used.

        It can't if the socket is readable: the upstream has closed it, or has sent bytes that
        belong to no answer.
        """
        if self.sock is None:
            return False
        poller = _poll()
        poller.register(self.sock, select.POLLIN)
        return not poller.poll(0)


class _Response(http.client.HTTPResponse):
    """Skips interim answers: http.client of Python 3.11 takes 102 and 103 for the answer."""

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_MAX_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 101 < status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException("too many interim answers")


class _Connection(_OwnConnection, HTTPConnection):
    response_class = _Response


class _TlsConnection(_OwnConnection, HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
