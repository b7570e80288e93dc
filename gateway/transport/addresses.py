"""Connects to upstreams by name, with one time limit for the lookup and all addresses.

gevent 26.9 looks names up in a pool of ten threads, which the whole process shares. A name server
that hangs would soon hold all of them. So each name has a few threads of its own here.
"""

import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import gevent.monkey
from gevent.threadpool import ThreadPool

AddressInfo = tuple[Any, Any, int, str, Any]
"""What getaddrinfo returns for an address."""

_MAX_LOOKUPS = 4
"""Limit for the lookups of one name at the same time; more than one only if the first is slow."""
_PATIENCE_S = 2.0
"""If a lookup takes longer, the next request starts another one."""
_IDLE_THREAD_S = 30.0
"""An idle thread of a name ends after this long."""
_AVOIDED_S = 30.0
"""An address that did not accept a connection is tried last for this long."""
_MAX_AVOIDED = 1000
"""Limit for the addresses that are remembered as failed; beyond it, all are forgotten."""

_get_addresses: Callable[..., list[AddressInfo]] = gevent.monkey.get_original(
    "socket", "getaddrinfo"
)
"""socket.getaddrinfo before gevent patched it. It blocks, except for numeric addresses."""


class Names:
    """Looks names up. Requests for the same name share a lookup."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, int], _Name] = {}

    def find(self, host: str, port: int, timeout_s: float) -> list[AddressInfo]:
        """Returns the addresses of a host. Raises TimeoutError or socket.gaierror."""
        try:
            return _get_addresses(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except socket.gaierror:
            pass  # it is a name
        key = host, port
        if key not in self._names or not self._names[key].is_of(gevent.get_hub()):
            self._names[key] = _Name(host, port)
        return self._names[key].find(timeout_s)


class _Name:
    """The lookups of one name."""

    def __init__(self, host: str, port: int) -> None:
        self._asked = host, port
        self._threads = ThreadPool(_MAX_LOOKUPS, idle_task_timeout=_IDLE_THREAD_S)
        self._lookups: list[tuple[float, Any]] = []
        """When each began, in monotonic seconds, and its pending result."""

    def is_of(self, hub: Any) -> bool:
        """Whether its threads belong to this hub of gevent, and so to the current thread."""
        return self._threads.hub is hub

    def find(self, timeout_s: float) -> list[AddressInfo]:
        """Waits for the newest lookup. Raises TimeoutError or socket.gaierror."""
        now = time.monotonic()
        self._lookups = [(began, found) for began, found in self._lookups if not found.ready()]
        is_late = not self._lookups or now - self._lookups[-1][0] > _PATIENCE_S
        if is_late and len(self._lookups) < _MAX_LOOKUPS:
            found = self._threads.spawn(_look_up, *self._asked)
            self._lookups.append((now, found))
        try:
            addresses, error = self._lookups[-1][1].get(timeout=timeout_s)
        except gevent.Timeout as late:
            raise TimeoutError("the name was not found in time") from late
        if error is not None:
            raise error
        return list(addresses)


def _look_up(host: str, port: int) -> tuple[Sequence[AddressInfo], Exception | None]:
    """Runs in a thread. Returns its error, because gevent prints an error that a thread raises."""
    try:
        return _get_addresses(host, port, type=socket.SOCK_STREAM), None
    except (OSError, UnicodeError) as error:
        return (), error


class Connector:
    """Connects to the first address of a host that accepts. Tries recently failed ones last."""

    def __init__(self) -> None:
        self._names = Names()
        self._failed_at: dict[Any, float] = {}

    def connect(
        self, host: str, port: int, timeout_s: float, options: Sequence[tuple[Any, ...]]
    ) -> socket.socket:
        """Returns a connected socket, with the rest of the time limit as its timeout.

        Every address that is left gets an equal share of the time that is left.
        Raises TimeoutError, socket.gaierror, or the OSError of the last address.
        """
        deadline = time.monotonic() + timeout_s
        addresses = self._names.find(host, port, timeout_s)
        addresses.sort(key=lambda info: self._failed_lately(info[4]))
        failure = OSError("the host has no address")
        for number, (family, kind, protocol, _, address) in enumerate(addresses):
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("no address accepted a connection in time")
            try:
                client = socket.socket(family, kind, protocol)
            except OSError as error:  # this machine has no IPv6, or no file descriptor is left
                failure = error
                continue
            try:
                for option in options:
                    client.setsockopt(*option)
                client.settimeout(left_s / (len(addresses) - number))
                client.connect(address)
            except OSError as error:
                client.close()
                if len(self._failed_at) >= _MAX_AVOIDED:
                    self._failed_at.clear()
                self._failed_at[address] = time.monotonic()
                failure = error
            except BaseException:
                client.close()
                raise
            else:
                self._failed_at.pop(address, None)
                client.settimeout(max(0.001, deadline - time.monotonic()))
                return client
        raise failure

    def _failed_lately(self, address: Any) -> bool:
        failed_at = self._failed_at.get(address, float("-inf"))
        if time.monotonic() - failed_at < _AVOIDED_S:
            return True
        self._failed_at.pop(address, None)
        return False
