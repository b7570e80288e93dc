"""The kind of each upstream's server: from the settings, or recognized.

An upstream is recognized by its public address, by its list of models, by a header of its answers,
or by a path that only its kind has. It is asked only when its kind is needed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gevent

from gateway.config import UpstreamConfig
from gateway.errors import GatewayError
from gateway.routing.client import UpstreamClient
from gateway.upstreams import CHAT, KINDS, Kind
from gateway.upstreams.kinds import kind_of_address, kind_of_headers

_RETRY_S = 30.0
"""An upstream that could not be asked is asked again after this long."""
_TIMEOUT_S = 2.0
"""Limit for one question to an upstream."""


class KnownKinds:
    """The kinds of all upstreams, in one worker."""

    def __init__(
        self,
        upstreams: Sequence[UpstreamConfig],
        clients: Mapping[str, UpstreamClient],
        clock: Callable[[], float],
        log: Any,
    ) -> None:
        """clients: by the names of the upstreams; clock: monotonic seconds."""
        self._clients = clients
        self._clock = clock
        self._log = log
        self._kinds: dict[str, Kind] = {}
        self._asked_at: dict[str, float] = {}
        for upstream in upstreams:
            named = KINDS[upstream.kind] if upstream.kind else kind_of_address(upstream.url)
            if named is not None:
                self._kinds[upstream.name] = named

    def known(self, upstream: str) -> Kind | None:
        """The kind of an upstream; None while it is not known. Never waits."""
        return self._kinds.get(upstream)

    def get(self, upstream: str) -> Kind:
        """The kind of an upstream; CHAT while it is not known. Never waits."""
        return self._kinds.get(upstream, CHAT)

    def note(self, upstream: str, kind: Kind | None) -> None:
        """Notes what an answer showed, unless the kind is known."""
        if kind is not None and upstream not in self._kinds:
            self._kinds[upstream] = kind
            self._log.info("upstream recognized", upstream=upstream, kind=kind.name)

    def note_headers(self, upstream: str, headers: Mapping[str, str]) -> None:
        """Notes what the headers of an answer show."""
        if upstream not in self._kinds:
            self.note(upstream, kind_of_headers(headers))

    def find(self, upstream: str) -> Kind:
        """The kind of an upstream; CHAT if it can't be found.

        Asks the upstream if its kind is not known, which may take some seconds.
        """
        asked_at = self._asked_at.get(upstream)
        if upstream in self._kinds or (
            asked_at is not None and self._clock() - asked_at < _RETRY_S
        ):
            return self.get(upstream)
        self._asked_at[upstream] = self._clock()
        try:
            found = self._clients[upstream].find_kind(_TIMEOUT_S)
        except GatewayError as error:
            self._log.debug("kind not found", upstream=upstream, code=error.code)
        else:
            self.note(upstream, found or CHAT)
        return self.get(upstream)

    def start_finding(self) -> None:
        """Starts to find the kinds that are not known, in the background."""
        for name in self._clients.keys() - self._kinds.keys():
            gevent.spawn(self.find, name)
