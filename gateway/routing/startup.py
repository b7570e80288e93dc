"""Asks each upstream for its models when the gateway starts, and logs the result."""

from collections.abc import Mapping, Sequence
from typing import Any

import gevent

from gateway.config import UpstreamConfig
from gateway.errors import GatewayError, UpstreamUnreachable
from gateway.routing.client import UpstreamClient
from gateway.routing.kinds import KnownKinds

_TIMEOUT_S = 5.0


class StartupCheck:
    """A check of each upstream. Its result only goes into the log."""

    def __init__(
        self,
        upstreams: Sequence[UpstreamConfig],
        clients: Mapping[str, UpstreamClient],
        kinds: KnownKinds,
        log: Any,
    ) -> None:
        """clients: by the names of the upstreams."""
        self._upstreams = upstreams
        self._clients = clients
        self._kinds = kinds
        self._log = log

    def start(self) -> None:
        """Asks all upstreams at the same time, in the background."""
        for upstream in self._upstreams:
            gevent.spawn(self.check, upstream)

    def check(self, upstream: UpstreamConfig) -> None:
        """Asks one upstream, and logs a line."""
        name, url = upstream.name, upstream.shown_url
        try:
            listing = self._clients[name].list_models(_TIMEOUT_S, keeps_connection=False)
        except GatewayError as error:
            self._log.warning(
                "upstream does not list its models",
                upstream=name,
                url=url,
                code=error.code,
                cause=error.message,
                hint=_hint(error),
            )
            return
        self._kinds.note(name, listing.kind)
        kind = self._kinds.known(name)
        self._log.info(
            "upstream lists its models",
            upstream=name,
            url=url,
            models=len(listing.models),
            kind=kind.name if kind is not None else None,
        )


def _hint(error: GatewayError) -> str:
    if isinstance(error, UpstreamUnreachable):
        return "Start it or set UPSTREAM_URL; `reasoning-gateway doctor` says more"
    return "`reasoning-gateway doctor` says more"
