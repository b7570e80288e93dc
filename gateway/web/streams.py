"""The routes of kept streams: read, stop, forget, answer now."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from flask import Blueprint, Response

from gateway.apis import Dialect
from gateway.apis.base import Replay
from gateway.apis.kept import StreamInfo
from gateway.apis.resumed import ResumedDialect
from gateway.config import Principal
from gateway.core.sse import dumps
from gateway.core.thoughts import ThoughtRecord
from gateway.errors import BadRequest
from gateway.relay.relay import Relay
from gateway.relay.streams import Streams
from gateway.web.answers import Answers
from gateway.web.inference import stream_response
from gateway.web.request import GatewayRequest, current_request

DialectMaker = Callable[[StreamInfo], Dialect]


def add_stream_routes(blueprint: Blueprint, streams: Streams, reader: "StreamReader") -> None:
    """Adds the routes. They need a key, as all routes of the blueprint do."""

    @blueprint.post("/v1/streams/<id>/answer")
    def answer_now(id: str) -> Response:
        streams.answer_now(id, current_request().principal)
        return _about(id, "answering", 202)

    @blueprint.get("/v1/streams/<id>")
    def read(id: str) -> Response:
        request = current_request()
        return reader.read_after(id, _place_in(request), request.args.get("format"))

    @blueprint.delete("/v1/streams/<id>")
    def stop(id: str) -> Response:
        principal = current_request().principal
        if streams.stop(id, principal):
            return _about(id, "stopped")
        streams.forget(id, principal)
        return _about(id, "forgotten")


def _about(id: str, status: str, code: int = 200) -> Response:
    """status: of the stream. code: of the response."""
    body = dumps({"id": id, "object": "stream", "status": status})
    return Response(body, code, content_type="application/json")


class StreamReader:
    """Answers requests to read a kept stream."""

    def __init__(
        self,
        dialects: Mapping[str, type[Dialect]],
        relay: Relay,
        streams: Streams,
        seal: Callable[[str], Callable[[ThoughtRecord], str]],
    ) -> None:
        """dialects: by the names of their formats.

        seal: takes a model's name; returns the function that seals its thoughts.
        """
        self._dialects = dialects
        self._relay = relay
        self._streams = streams
        self._seal = seal

    def read_after(self, id: str, place: "_Place", format: str | None) -> Response:
        """Streams the events after a place. format: None: the format of the original request.

        Raises StreamNotFound, StreamGone, BadRequest, or Full.
        """
        if format is not None and format not in self._dialects:
            raise BadRequest(
                f"format: {format!r} is not one of {', '.join(self._dialects)}.", param="format"
            )

        def make(info: StreamInfo) -> Dialect:
            name = format or info.dialect
            made = self._dialects[name](info.answer(name, self._seal(info.model)))
            return ResumedDialect(made, place.after)

        return self.read(id, make, place)

    def answers(self, principal: Principal) -> Answers:
        """Returns the kept answers of a client."""
        return Answers(self._streams, principal, self._seal)

    def replay(self, replay: Replay) -> Response:
        """Streams the kept stream that an endpoint has asked for."""
        return self.read(
            replay.id,
            lambda info: replay.dialect(info.answer(info.dialect, self._seal(info.model))),
        )

    def read(self, id: str, make_dialect: DialectMaker, place: "_Place | None" = None) -> Response:
        """Streams a kept stream in a dialect that is made for it.

        The dialect gets all events, and may leave out those before the place. place: for the checks
        that the client's place exists and that there is something to send. Raises as read_after.
        """
        request = current_request()
        reading = self._streams.open(id, request.principal)
        try:
            if place is not None and place.after > reading.length:
                raise BadRequest(
                    f"{place.param}: the stream has only {reading.length} events.",
                    param=place.param,
                )
            if place is not None and place.reconnects and reading.is_over(place.after):
                reading.source.close()
                return Response(status=204)  # ends the reconnecting
            dialect = make_dialect(reading.info)
            client = request.environ.get("gunicorn.socket")
            delivery = self._relay.read(reading.source, client, request.started)
        except BaseException:
            reading.source.close()
            raise
        return stream_response(delivery, dialect, id)


class _Place(NamedTuple):
    """The place in a stream after which a client reads."""

    after: int
    """The number of the last event that the client has; 0: none."""
    param: str
    """The parameter or the header that gave the place."""
    reconnects: bool
    """The client is an EventSource, which reconnects by itself after every end but a 204."""


def _place_in(request: GatewayRequest) -> _Place:
    """Reads the place from the header or a parameter. Raises BadRequest if it is not a number.

    The header comes first, because it is newer: an EventSource that reconnects sends the header,
    but to its first address, with the parameter of that time.
    """
    given = [("Last-Event-ID", request.headers.get("Last-Event-ID"))]
    given += [(name, request.args.get(name)) for name in ("after", "last_event_id")]
    param, text = next(((name, text) for name, text in given if text), ("after", "0"))
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadRequest(f"{param}: give the number of an event, from 0.", param=param)
    return _Place(int(text), param, param == "Last-Event-ID")
