"""Which models there are: the upstreams' own lists as one, kept and refreshed in the background."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import gevent

from gateway.config import UpstreamConfig, is_glob
from gateway.errors import GatewayError, UpstreamBroke
from gateway.routing.client import Endpoint

FRESH_S = 30.0
"""A list older than this is refreshed when somebody asks; who asks gets the old one."""
_RETRY_S = 2.0
"""The same where an upstream has not been heard yet."""
_PATIENCE_S = 5.0
"""So long the first to ask waits for the upstreams."""


class Listed(NamedTuple):
    """A model that clients can ask for."""

    id: str
    owner: str
    upstream: str
    own_name: str
    """As the upstream calls it."""


class Catalog:
    """The models of all upstreams, by the names that clients use."""

    def __init__(
        self,
        upstreams: Sequence[UpstreamConfig],
        endpoints: Mapping[str, Endpoint],
        clock: Callable[[], float],
        log: Any,
    ) -> None:
        self._upstreams = upstreams
        self._endpoints = endpoints
        self._clock = clock
        self._log = log
        self._heard: dict[str, list[tuple[str, str]]] = {}
        """What each upstream has said last, also if it is down now."""
        self._failed: dict[str, GatewayError] = {}
        """Those that were asked and have never been heard."""
        self._asking: Sequence[gevent.Greenlet] = ()
        self._asked_at = float("-inf")

    def models(self) -> list[Listed]:
        """All models, each once. Raises UpstreamError when nobody could say or name any."""
        all_heard = len(self._heard) == len(self._upstreams)
        if self._clock() - self._asked_at > (FRESH_S if all_heard else _RETRY_S):
            self._asked_at = self._clock()
            self._asking = [gevent.spawn(self._ask, name) for name in self._endpoints]
        if len(self._heard) + len(self._failed) < len(self._upstreams):
            gevent.joinall(self._asking, timeout=_PATIENCE_S)
        found: dict[str, Listed] = {}
        for upstream in self._upstreams:
            for listed in self._of(upstream):
                found.setdefault(listed.id, listed)
        if not found and not self._heard:
            raise next(iter(self._failed.values()), UpstreamBroke("No upstream has answered yet."))
        return list(found.values())

    def _of(self, upstream: UpstreamConfig) -> Iterator[Listed]:
        """What an upstream has, or, as long as it was not heard, what the settings say it has."""
        name = upstream.name
        if name not in self._heard:
            for public in upstream.names:
                if not is_glob(public):
                    yield Listed(public, name, name, upstream.rename.get(public, public))
        for own_name, owner in self._heard.get(name, ()):
            for public in upstream.public_names(own_name):
                yield Listed(public, owner, name, own_name)

    def _ask(self, name: str) -> None:
        try:
            self._heard[name] = self._endpoints[name].list_models(_PATIENCE_S)
            self._failed.pop(name, None)
        except GatewayError as error:
            if name not in self._heard:
                self._failed[name] = error
            self._log.debug("no list of models", upstream=name, code=error.code)
