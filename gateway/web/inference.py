"""Answers a request for the model: reads its body, starts a run, streams or collects the answer."""

import time
import uuid
from typing import Any

from flask import Response

from gateway.apis import DIALECTS, Answer, ChatRequest, Dialect, Whole
from gateway.apis.json import read_json
from gateway.config import Config
from gateway.core.events import Done
from gateway.core.sse import dumps
from gateway.errors import BadRequest, TurnFailed, UnsupportedMedia
from gateway.relay.delivery import Delivery, StreamBody
from gateway.relay.relay import Relay
from gateway.relay.run import RequestContext
from gateway.relay.turns import TurnFactory
from gateway.server.body import read_body
from gateway.server.response_socket import Outlet
from gateway.web.request import Incoming

STREAM_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold the stream back
}


class Inference:
    """Answers requests for a model, whatever their API."""

    def __init__(self, config: Config, turns: TurnFactory, relay: Relay) -> None:
        self._config = config
        self._turns = turns
        self._relay = relay

    def read_body(self, request: Incoming, *, plain: bool = False) -> dict[str, Any]:
        """The request's JSON object. Raises UnsupportedMedia, BadRequest or a reading error."""
        if request.mimetype and not request.is_json:
            if plain:
                raise BadRequest("No JSON body provided")
            raise UnsupportedMedia("Send the request as JSON, with Content-Type: application/json.")
        length, source = request.content_length, request.stream
        config = self._config
        body = read_body(source, length, config.max_body_bytes, config.request_timeout_s)
        return read_json(body, plain=plain)

    def answer(self, request: Incoming, asked: ChatRequest) -> Response:
        """Starts the run and answers in the client's dialect, streamed or in one piece."""
        request.dialect = asked.dialect
        asked = self._turns.resolve_options(asked)
        stream_id = uuid.uuid4().hex
        dialect = DIALECTS[asked.dialect]
        answer = Answer(
            id=stream_id,
            model=asked.model or "default",
            created=int(time.time()),
            request_id=request.id,
            reasoning=asked.options.reasoning,
            include_usage=asked.include_usage,
            echo=asked.echo,
            prompt_tokens=asked.prompt_tokens,
        )
        client = request.environ.get("gunicorn.socket")
        context = RequestContext(request.id, request.started, client)
        turn = self._turns.make(asked, request.started)
        delivery = self._relay.open(stream_id, asked, context, turn)
        if asked.stream:
            socket = self._relay.response_socket(request.environ)
            return _streamed(delivery, dialect(answer), socket)
        return _in_one_piece(delivery, dialect.whole(answer))


def _streamed(delivery: Delivery, dialect: Dialect, socket: Outlet | None) -> Response:
    if dialect.waits_for_upstream:
        try:
            delivery.run.wait_until_accepted()
        except BaseException:
            delivery.close()
            raise
    return Response(
        StreamBody(delivery, dialect, socket),
        content_type=dialect.content_type,
        headers=STREAM_HEADERS | {"X-Stream-Id": delivery.run.id},
        direct_passthrough=True,
    )


def _in_one_piece(delivery: Delivery, whole: Whole) -> Response:
    """Waits for the end of the turn and answers with one JSON object."""
    body = ""
    try:
        for _, events in delivery:
            whole.add(events)
            if events and isinstance(events[-1], Done):
                body = dumps(whole.body())
                delivery.count_write(len(body))
    finally:
        delivery.close()
    if whole.error is not None:
        failure = TurnFailed(whole.error)
        failure.model_ran = delivery.run.turn.model_ran
        raise failure
    if delivery.left is not None:
        raise delivery.left
    return Response(
        body,
        content_type="application/json",
        headers={"X-Stream-Id": delivery.run.id},
    )
