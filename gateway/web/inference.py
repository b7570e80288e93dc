"""Answers a request to a model: reads its body, starts a run, streams or collects the answer."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from flask import Response
from msgspec.structs import replace

from gateway.apis import Api, ChatRequest, Dialect, NonStreamedAnswer
from gateway.apis.base import Keep, Operation, ReadyAnswer
from gateway.apis.json import read_json
from gateway.apis.kept import StreamInfo
from gateway.apis.seal import sealer
from gateway.config import ANONYMOUS, LATEST, Config, Principal
from gateway.core.budgets import budget_of
from gateway.core.events import Done
from gateway.core.sse import dumps
from gateway.core.thoughts import ThoughtRecord
from gateway.errors import BadRequest, TurnFailed, UnsupportedMedia
from gateway.relay.delivery import Delivery, StreamBody
from gateway.relay.relay import Relay
from gateway.relay.run import RequestContext
from gateway.relay.streams import Streams
from gateway.relay.turns import TurnFactory
from gateway.routing.models import ModelList
from gateway.server.body import BodyBudget, let_others_run, read_body
from gateway.server.response_socket import ResponseSocket
from gateway.server.waiting import WaitingRequests
from gateway.web.answers import Answers
from gateway.web.content_coding import decode_body
from gateway.web.request import GatewayRequest
from gateway.web.trace_context import trace_context

_MAX_MODEL_CHARS = 512
"""Every frame of an answer repeats the model's name."""
_LARGE_BODY_BYTES = 1_000_000
"""Other streams get a turn between two steps of the work for a larger body."""
_STREAM_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold the stream back
}


class Inference:
    """Answers requests to a model, whatever their API."""

    def __init__(
        self,
        config: Config,
        dialects: Mapping[str, type[Dialect]],
        turns: TurnFactory,
        relay: Relay,
        streams: Streams,
        model_list: ModelList,
        waiting: WaitingRequests,
    ) -> None:
        """dialects: by the names of their formats."""
        self._config = config
        self._dialects = dialects
        self._turns = turns
        self._relay = relay
        self._streams = streams
        self._model_list = model_list
        self._waiting = waiting
        self._budget = BodyBudget()
        self._keeps_all = config.keep_streams

    def read_body(
        self, api: Api, request: GatewayRequest, format: str | None = None
    ) -> dict[str, Any]:
        """Returns the request's JSON object.

        format: the one that the path names, which may have its own message for a body that is not
        JSON.

        Raises UnsupportedMedia, BadRequest, or an error of gateway.server.body.read_body.
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
            return read_json(body, not_json, let_others_run)

    def seal(self, model: str) -> Callable[[ThoughtRecord], str]:
        """Returns the function that seals the thoughts of a model.

        model: the name that the client uses, and with which it will send the seal back.
        """
        return partial(sealer(self._config.seal_keys).seal, model)

    def answer(
        self, api: Api, operation: Operation, request: GatewayRequest, format: str | None
    ) -> Response:
        """Reads the request, starts the run and answers, streamed or not.

        format: the one that the path names; None: it names none.
        """
        body = self.read_body(api, request, format)
        _pause_if_large(request)
        request.dialect = api.format_of(body, format, self._config)
        if api.complete is not None:
            body = api.complete(body, Answers(self._streams, request.principal, self.seal))
        read = operation.read(body, format, self._config)
        _pause_if_large(request)
        if len(read.model) > _MAX_MODEL_CHARS:
            raise BadRequest(
                f"The name of the model is longer than {_MAX_MODEL_CHARS} characters.",
                param="model",
            )
        name = self._served_name(read.model, request.principal)
        if isinstance(read, ReadyAnswer):
            self._relay.check_served(name, request.principal)
            return Response(dumps(read.body(int(time.time()))), content_type="application/json")
        budget = read.options.thinking_budget
        budget = budget_of(body) if budget is None else budget
        asked = self._turns.resolve_options(replace(read, model=name, thinking_budget=budget))
        asked = self._turns.recall(asked, request.principal)
        if asked.options.keep or asked.keep == "background":
            self._relay.kept.check_store()
        info = self._info(asked, read.model, request)
        delivery = self._open(asked, info, request)
        return self._deliver(delivery, asked, info, request)

    def _info(self, asked: ChatRequest, model: str, request: GatewayRequest) -> StreamInfo:
        """Returns what is kept about the stream, and what its frames have in common.

        model: the client's name for the model, with which it will send a seal back.
        """
        return StreamInfo(
            id=self._streams.new_id(),
            principal=request.principal.name,
            dialect=asked.dialect,
            keep=self._keep(asked),
            model=model,
            created=int(time.time()),
            request_id=request.id,
            reasoning=asked.options.reasoning,
            seals_thoughts=asked.seals_thoughts != "never",
            include_usage=asked.include_usage,
            echo=asked.echo,
            prompt_tokens=asked.prompt_tokens,
            streamed=asked.stream,
            input=asked.input,
        )

    def _open(self, asked: ChatRequest, info: StreamInfo, request: GatewayRequest) -> Delivery:
        """Starts the run, and its delivery to the client."""
        context = RequestContext(
            request.id,
            request.started,
            request.principal,
            request.environ.get("gunicorn.socket"),
            _caller_of(request),
            trace_context(request.headers),
        )
        turn = self._turns.make(asked, request.started, request.principal)
        kept = info if info.keep != "no" else None
        _pause_if_large(request)
        return self._relay.open(info.id, asked, context, turn, kept)

    def _deliver(
        self, delivery: Delivery, asked: ChatRequest, info: StreamInfo, request: GatewayRequest
    ) -> Response:
        """Returns a stream, the whole answer, or the queued answer of a background request."""
        dialect = self._dialects[asked.dialect]
        answer = info.answer(asked.dialect, self.seal(info.model))
        if asked.stream:
            socket = self._relay.response_socket(request.environ)
            waits = dialect.waits_for_upstream and info.keep != "background"
            return _streamed(delivery, dialect(answer), socket, info.id, waits=waits)
        if info.keep == "background":
            delivery.close()
            return _whole(dumps(dialect.non_streamed(answer).body()), info.id)
        return _not_streamed(delivery, dialect.non_streamed(answer), info.id)

    def _keep(self, request: ChatRequest) -> Keep:
        wanted = request.options.keep
        if request.keep == "background":
            return "background"
        return "detached" if wanted or (wanted is None and self._keeps_all) else request.keep

    def _served_name(self, model: str, principal: Principal) -> str:
        """Returns the name by which the gateway serves the model: `m:latest` and `m` are the same.

        Clients of Ollama's API add the tag, and may then use that name with another API.
        """
        if model.endswith(LATEST) and self._model_list.has(model):
            return model
        return self._relay.served_name(model, principal)


def _pause_if_large(request: GatewayRequest) -> None:
    if (request.content_length or 0) > _LARGE_BODY_BYTES:
        let_others_run()


def _caller_of(request: GatewayRequest) -> str:
    """The name of the client's key; without keys, its address."""
    principal = request.principal
    return principal.name if principal is not ANONYMOUS else f"at {request.remote_addr}"


def _streamed(
    delivery: Delivery, dialect: Dialect, socket: ResponseSocket | None, id: str, *, waits: bool
) -> Response:
    """Returns the response that streams the answer of a run.

    waits: waits until an upstream has accepted the request, so that an error before that becomes
    the status of the response.
    """
    run = delivery.run
    if waits and run is not None:
        try:
            run.wait_until_accepted()
        except BaseException:
            delivery.close()
            raise
    return stream_response(delivery, dialect, id, socket)


def stream_response(
    delivery: Delivery, dialect: Dialect, id: str, socket: ResponseSocket | None = None
) -> Response:
    """The response that streams a delivery.

    id: of the stream. socket: for direct writes; None: only gunicorn writes.
    """
    return Response(
        StreamBody(delivery, dialect, socket),
        content_type=dialect.content_type,
        headers=_STREAM_HEADERS | {"X-Stream-Id": id},
        direct_passthrough=True,
    )


def _not_streamed(delivery: Delivery, answer: NonStreamedAnswer, id: str) -> Response:
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
        assert delivery.run is not None, "only the client of a run waits for its whole answer"
        failure.model_ran = delivery.run.turn.model_ran
        raise failure
    if delivery.left is not None:
        raise delivery.left
    return _whole(body, id)


def _whole(body: str, id: str) -> Response:
    return Response(body, content_type="application/json", headers={"X-Stream-Id": id})
