"""The models that clients can ask for: all upstreams' lists as one, refreshed in the background."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import gevent

from gateway.config import UpstreamConfig, is_glob
from gateway.errors import GatewayError, UpstreamBroke
from gateway.routing.client import UpstreamClient
from gateway.routing.kinds import KnownKinds

FRESH_S = 30.0
"""Age at which a request for the list starts a refresh. It still gets the old list."""
_RETRY_S = 2.0
"""The same while the list lacks an upstream's part."""
_TIMEOUT_S = 5.0
"""Limit for an upstream's list, and for the first request, which waits for it."""


class ListedModel(NamedTuple):
    """A model that clients can ask for."""

    id: str
    owner: str
    upstream: str
    own_name: str
    """The upstream's name for it."""


class ModelList:
    """The models of all upstreams, by the names that clients use."""

    def __init__(
        self,
        upstreams: Sequence[UpstreamConfig],
        clients: Mapping[str, UpstreamClient],
        kinds: KnownKinds,
        clock: Callable[[], float],
        log: Any,
    ) -> None:
        """clients: by the names of the upstreams; clock: monotonic seconds."""
        self._kinds = kinds
        self._upstreams = upstreams
        self._clients = clients
        self._clock = clock
        self._log = log
        self._answers: dict[str, list[tuple[str, str]]] = {}
        """Upstream → its last answer, also while it is down."""
        self._failures: dict[str, GatewayError] = {}
        """Upstream → its last error, while it has never answered."""
        self._refreshing: Sequence[gevent.Greenlet] = ()
        self._refreshed_at = float("-inf")

    def models(self) -> list[ListedModel]:
        """Returns all models, each once. Raises UpstreamError if no upstream has answered and the
        settings name no model.

        The first call waits up to 5 s for the upstreams' lists.
        """
        complete = len(self._answers) == len(self._upstreams)
        if self._clock() - self._refreshed_at > (FRESH_S if complete else _RETRY_S):
            self._refreshed_at = self._clock()
            self._refreshing = [gevent.spawn(self._refresh, name) for name in self._clients]
        if len(self._answers) + len(self._failures) < len(self._upstreams):
            gevent.joinall(self._refreshing, timeout=_TIMEOUT_S)
        found: dict[str, ListedModel] = {}
        for upstream in self._upstreams:
            for model in self._of(upstream):
                found.setdefault(model.id, model)
        if not found and not self._answers:
            failures = iter(self._failures.values())
            raise next(failures, UpstreamBroke("No upstream has answered yet."))
        return list(found.values())

    def has(self, id: str) -> bool:
        """Whether an upstream lists a model by exactly this name. Waits like :meth:`models`."""
        try:
            return any(model.id == id for model in self.models())
        except GatewayError:
            return False

    def _of(self, upstream: UpstreamConfig) -> Iterator[ListedModel]:
        """Yields an upstream's models; those in the settings until it has answered."""
        name = upstream.name
        if name not in self._answers:
            for public in upstream.names:
                if not is_glob(public):
                    yield ListedModel(public, name, name, upstream.rename.get(public, public))
        for own_name, owner in self._answers.get(name, ()):
            for public in upstream.public_names(own_name):
                yield ListedModel(public, owner, name, own_name)

    def _refresh(self, name: str) -> None:
        try:
            self._answers[name], kind = self._clients[name].list_models(_TIMEOUT_S)
            self._kinds.note(name, kind)
            self._failures.pop(name, None)
        except GatewayError as error:
            if name not in self._answers:
                self._failures[name] = error
            self._log.debug("no list of models", upstream=name, code=error.code)
