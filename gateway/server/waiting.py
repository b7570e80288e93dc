"""Limits the requests of one address that have begun and are not complete.

A client that sends one byte a second holds a connection for REQUEST_TIMEOUT_S. With enough of them,
it would keep out all other clients. Open streams do not count: one backend may rightly have all of
them.
"""

from collections import Counter
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

import gevent

from gateway.errors import TooManyWaiting


class WaitingRequests:
    """The requests that one worker is receiving, by the address of the client.

    The current greenlet identifies the request: each connection has its own.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._all_exempt = False
        self._networks: list[IPv4Network | IPv6Network] = []
        self._address_of: dict[Any, str] = {}
        """Greenlet → address."""
        self._counts: Counter[str] = Counter()

    def exempt(self, proxies: Collection[str]) -> None:
        """Sets the addresses and networks without a limit: proxies, which send for many clients.

        proxies: `*` stands for all addresses.
        """
        self._all_exempt = "*" in proxies
        self._networks = [ip_network(name, strict=False) for name in proxies if name != "*"]

    def begin(self, address: str) -> None:
        """Notes that the greenlet begins to receive a request. Raises TooManyWaiting."""
        self.end()
        if not address or self._is_exempt(address):
            return
        if self._counts[address] >= self._limit:
            raise TooManyWaiting(self._limit)
        self._address_of[gevent.getcurrent()] = address
        self._counts[address] += 1

    def end(self) -> None:
        """Notes that the greenlet has its request, or will not get one. Idempotent."""
        address = self._address_of.pop(gevent.getcurrent(), None)
        if address is None:
            return
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]

    def _is_exempt(self, address: str) -> bool:
        if self._all_exempt:
            return True
        try:
            ip = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(ip, "ipv4_mapped", None) or ip
        return any(mapped in network for network in self._networks)
