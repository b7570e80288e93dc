"""Requests about a stream that is under way."""

from flask import Blueprint, Response

from gateway.core.sse import dumps
from gateway.relay.streams import Streams
from gateway.web.request import current_request


def add_stream_routes(blueprint: Blueprint, streams: Streams) -> None:
    """Adds the routes, which need a key like every other of the blueprint."""

    @blueprint.post("/v1/streams/<id>/answer")
    def answer_now(id: str) -> Response:
        streams.answer_now(id, current_request().principal)
        body = dumps({"id": id, "object": "stream", "status": "answering"})
        return Response(body, 202, content_type="application/json")
