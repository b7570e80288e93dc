"""Answers a request for the model: reads its body, starts a run, streams or collects the answer."""

import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flask import Response
from msgspec.structs import replace

from gateway.apis import Answer, Api, Dialect, NonStreamedAnswer
from gateway.apis.base import Operation, ReadyAnswer
from gateway.apis.json import read_json
from gateway.apis.seal import sealer
from gateway.config import LATEST, Config, Principal
from gateway.core.events import Done
from gateway.core.sse import dumps
from gateway.errors import BadRequest, TurnFailed, UnsupportedMedia
from gateway.relay.delivery import Delivery, StreamBody
from gateway.relay.relay import Relay
from gateway.relay.run import RequestContext
from gateway.relay.turns import TurnFactory
from gateway.routing.models import ModelList
from gateway.server.body import BodyBudget, read_body
from gateway.server.response_socket import ResponseSocket
from gateway.server.waiting import WaitingRequests
from gateway.web.content_coding import decode_body
from gateway.web.request import GatewayRequest

_MAX_MODEL_CHARS = 512
"""Every frame of an answer repeats the model's name."""
STREAM_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold the stream back
}


class Inference:
    """Answers requests for a model, whatever their API."""

    def __init__(
        self,
        config: Config,
        dialects: Mapping[str, type[Dialect]],
        turns: TurnFactory,
        relay: Relay,
        model_list: ModelList,
        waiting: WaitingRequests,
    ) -> None:
        """dialects: by the names of their formats."""
        self._config = config
        self._dialects = dialects
        self._turns = turns
        self._relay = relay
        self._model_list = model_list
        self._waiting = waiting
        self._budget = BodyBudget()

    def read_body(
        self, api: Api, request: GatewayRequest, format: str | None = None
    ) -> dict[str, Any]:
        """The request's JSON object. Raises UnsupportedMedia, BadRequest or a reading error.

        format: the one that the path names, which may word its own errors.
        """
        not_json = self._dialects[format].not_json if format is not None else None
        # A form or a `no-cors` fetch of a page of another origin can't send this Content-Type.
        is_safe = request.is_json or (
            api.takes_any_content_type and "Origin" not in request.headers
        )
        if not is_safe:
            if not_json is not None:
                raise BadRequest(not_json)
            raise UnsupportedMedia("Send the request as JSON, with Content-Type: application/json.")
        length, source = request.content_length, request.stream
        config = self._config
        with self._budget.hold() as grow:
            body = read_body(source, length, config.max_body_bytes, config.request_timeout_s, grow)
            self._waiting.end()
            if coding := request.headers.get("Content-Encoding"):
                body = decode_body(body, coding, config.max_body_bytes)
            return read_json(body, not_json)

    def _seal(self, model: str) -> Callable[[str], str]:
        """model: the name that the client uses, with which it will hand the seal back."""
        return partial(sealer(self._config.seal_keys).seal, model)

    def answer(
        self, api: Api, operation: Operation, request: GatewayRequest, format: str | None
    ) -> Response:
        """Reads the request, starts the run and answers, streamed or not.

        format: the one that the path names, if it does.
        """
        body = self.read_body(api, request, format)
        request.dialect = api.format_of(body, format, self._config)
        read = operation.read(body, format, self._config)
        if len(read.model) > _MAX_MODEL_CHARS:
            raise BadRequest(
                f"The name of the model is longer than {_MAX_MODEL_CHARS} characters.",
                param="model",
            )
        name = self._served_name(read.model, request.principal)
        if isinstance(read, ReadyAnswer):
            self._relay.check_served(name, request.principal)
            return Response(dumps(read.body(int(time.time()))), content_type="application/json")
        asked = self._turns.resolve_options(replace(read, model=name))
        asked = self._turns.recall(asked, request.principal)
        stream_id = uuid.uuid4().hex
        dialect = self._dialects[asked.dialect]
        answer = Answer(
            id=stream_id,
            model=read.model or "default",
            created=int(time.time()),
            request_id=request.id,
            reasoning=asked.options.reasoning,
            seal=self._seal(read.model) if asked.seals_thoughts else None,
            include_usage=asked.include_usage,
            echo=asked.echo,
            prompt_tokens=asked.prompt_tokens,
        )
        client = request.environ.get("gunicorn.socket")
        context = RequestContext(request.id, request.started, request.principal, client)
        turn = self._turns.make(asked, request.started, request.principal)
        delivery = self._relay.open(stream_id, asked, context, turn)
        if asked.stream:
            socket = self._relay.response_socket(request.environ)
            return _streamed(delivery, dialect(answer), socket)
        return _not_streamed(delivery, dialect.non_streamed(answer))

    def _served_name(self, model: str, principal: Principal) -> str:
        """The name by which the model is known here: `m:latest` and `m` are one model.

        Clients of Ollama's API add the tag, also to the names that they take to another API.
        """
        if model.endswith(LATEST) and self._model_list.has(model):
            return model
        return self._relay.served_name(model, principal)


def _streamed(delivery: Delivery, dialect: Dialect, socket: ResponseSocket | None) -> Response:
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


def _not_streamed(delivery: Delivery, answer: NonStreamedAnswer) -> Response:
    """Waits for the end of the turn and answers with one JSON object."""
    body = ""
    try:
        for _, events in delivery:
            answer.add(events)
            if events and isinstance(events[-1], Done):
                body = dumps(answer.body())
                delivery.count_write(len(body))
    finally:
        delivery.close()
    if answer.error is not None:
        failure = TurnFailed(answer.error)
        failure.model_ran = delivery.run.turn.model_ran
        raise failure
    if delivery.left is not None:
        raise delivery.left
    return Response(
        body,
        content_type="application/json",
        headers={"X-Stream-Id": delivery.run.id},
    )
