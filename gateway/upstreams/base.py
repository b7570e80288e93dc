"""The interface of an upstream, as the rest of the gateway uses it."""

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
        """Returns the request for an answer: a stream, with its usage.

        model: the model's name on this upstream; "" keeps the model that the body names.
        """

    def control(self, completion_id: str, model: str, request_id: str) -> Call:
        """Returns the request that ends the thinking of a running answer, for kinds with the way
        `control`.

        completion_id: the id in the chunks of the answer.
        """

    def probe(self, path: str, request_id: str) -> Call:
        """Returns the request for a path whose answer shows which kind of server this is."""

    def models(self, request_id: str) -> Call:
        """Returns the request for the list of models."""

    def health(self, request_id: str) -> Call | None:
        """Returns the request for the upstream's health, or None if it has no health path."""

    def model_ids(self, body: bytes) -> list[tuple[str, str]] | None:
        """Returns the id and owner of each model in a list of models; None for another body."""

    def reader(self, choice: int = 0) -> Reader:
        """Returns a reader for one choice of an answer."""

    def refusal(
        self, status: int, headers: Mapping[str, str], body: bytes, url: str = ""
    ) -> UpstreamRefused:
        """Returns the error for a status other than 2xx. Its texts hold none of the gateway's keys.

        url: the address of the request; "" for a completion.
        """
