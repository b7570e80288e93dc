"""What every kind of upstream has to do."""

from collections.abc import Mapping
from typing import Any, Protocol

from gateway.core.call import Call
from gateway.core.reading import Reader
from gateway.errors import UpstreamRefused


class Upstream(Protocol):
    """Builds the requests to one model server and interprets its answers. No I/O."""

    name: str
    """Its name in the settings."""

    def completion(self, body: Mapping[str, Any], model: str, request_id: str) -> Call:
        """The request for an answer: a stream, with its usage.

        model: the model's name on this upstream; "" leaves the choice to the upstream.
        """

    def control(self, completion_id: str, model: str, request_id: str) -> Call:
        """The request that ends the thinking of a running answer, for kinds that know it.

        completion_id: the id that the chunks of the answer have.
        """

    def probe(self, path: str, request_id: str) -> Call:
        """The request for a path of the server, to find out of which kind it is."""

    def models(self, request_id: str) -> Call:
        """The request for the list of models."""

    def health(self, request_id: str) -> Call | None:
        """The request for the upstream's health, or None if it has no health path."""

    def model_ids(self, body: bytes) -> list[tuple[str, str]] | None:
        """The id and owner of each model in a list of models, or None if it is not such a list."""

    def reader(self, choice: int = 0) -> Reader:
        """A reader for one choice of an answer."""

    def refusal(
        self, status: int, headers: Mapping[str, str], body: bytes, url: str = ""
    ) -> UpstreamRefused:
        """The error for an answer with a status other than 200, without the gateway's keys.

        url: what was asked; "" for a completion.
        """
