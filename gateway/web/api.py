"""The API: a request in, a stream or one JSON object out."""

import re
import time
import uuid
from collections.abc import Callable
from typing import Any, get_args

from flask import Blueprint, Response

from gateway.apis import DIALECTS, Answer, ChatRequest, Dialect, Whole
from gateway.apis.chat.request import format_of, read_chat
from gateway.apis.json import read_json
from gateway.apis.messages.request import count_tokens, read_messages
from gateway.apis.responses.request import read_responses
from gateway.config import Config, Format
from gateway.core.events import Done
from gateway.core.families import Families
from gateway.core.sse import dumps
from gateway.errors import BadRequest, NotFound, UnsupportedMedia
from gateway.relay.relay import Relay
from gateway.relay.stream import Body, Stream
from gateway.relay.turns import Caller, Turns
from gateway.routing.models import ModelList
from gateway.server.body import read_body
from gateway.server.response_socket import Outlet
from gateway.web.auth import Keys
from gateway.web.request import Incoming, incoming

STREAM_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold the stream back
}
_SANE_ID = re.compile(r"[\w.:-]{1,128}\Z")
_FORMATS = f"<any({','.join(get_args(Format))}):format>"


def make_blueprint(
    config: Config,
    turns: Turns,
    relay: Relay,
    model_list: ModelList,
    families: Families,
    clock: Callable[[], float],
) -> Blueprint:
    """The routes, bound to the services they use."""
    api = Blueprint("api", __name__)
    _add_hooks(api, config, clock)
    door = _Door(config, turns, relay)

    @api.post("/v1/chat/completions")
    @api.post(f"/{_FORMATS}/v1/chat/completions")
    def chat_completions(format: Format | None = None) -> Response:
        request = incoming()
        body = door.read(request, plain=format == "plain")
        request.dialect = format_of(body, format, config.default_format)
        return door.answer(
            request,
            read_chat(
                body,
                of_path=format,
                default=config.default_format,
                max_prompt_chars=config.max_prompt_chars,
            ),
        )

    @api.post("/v1/messages")
    def messages() -> Response:
        request = incoming()
        return door.answer(request, read_messages(door.read(request), config.messages_summary))

    @api.post("/v1/messages/count_tokens")
    def count() -> Response:
        answer = {"input_tokens": count_tokens(door.read(incoming())), "estimated": True}
        return Response(
            dumps(answer), content_type="application/json", headers={"X-Token-Count": "estimated"}
        )

    @api.post("/v1/responses")
    @api.post("/openai/v1/responses")
    def responses() -> Response:
        summary, other_tools = config.responses_summary, config.responses_other_tools
        request = incoming()
        return door.answer(request, read_responses(door.read(request), summary, other_tools))

    @api.route("/v1/responses/<id>", methods=["GET", "DELETE"])
    @api.post("/v1/responses/<id>/cancel")
    @api.get("/v1/responses/<id>/input_items")
    def kept_response(id: str) -> Response:
        raise NotFound(f"Response with id '{id}' not found: the gateway keeps none.")

    @api.get("/v1/models")
    @api.get(f"/{_FORMATS}/v1/models")
    def models(format: Format | None = None) -> Response:
        data = [
            {
                "id": model.id,
                "object": "model",
                "owned_by": model.owner,
                "family": families.find(model.own_name).name,
                "upstream": model.upstream,
            }
            for model in model_list.models()
        ]
        return Response(dumps({"object": "list", "data": data}), content_type="application/json")

    return api


def _add_hooks(api: Blueprint, config: Config, clock: Callable[[], float]) -> None:
    """What is done before and behind every request, and before those that may want a key."""

    @api.before_app_request
    def name_request() -> None:
        request = incoming()
        request.started = clock()
        request.dialect = _dialect_of(request.path)
        sent = request.headers.get("X-Request-Id", "")
        request.id = sent if _SANE_ID.match(sent) else str(uuid.uuid4())

    @api.after_app_request
    def return_id(response: Response) -> Response:
        # OpenAI's SDKs read the one, Anthropic's the other.
        response.headers["X-Request-Id"] = response.headers["request-id"] = incoming().id
        return response

    if config.client_keys:
        keys = Keys(config.client_keys)

        @api.before_request
        def admit() -> None:
            """Before a body is read, and for every route here, whichever may be added."""
            request = incoming()
            sent = request.headers
            if request.method != "OPTIONS":  # by which a browser asks, without a key, if it may
                keys.check(sent.get("Authorization", ""), sent.get("x-api-key", ""))


class _Door:
    """Where the requests for a model come in, whatever their kind, and the answers go out."""

    def __init__(self, config: Config, turns: Turns, relay: Relay) -> None:
        self._config = config
        self._turns = turns
        self._relay = relay

    def read(self, request: Incoming, *, plain: bool = False) -> dict[str, Any]:
        """The request's JSON object."""
        if request.mimetype and not request.is_json:
            if plain:
                raise BadRequest("No JSON body provided")
            raise UnsupportedMedia("Send the request as JSON, with Content-Type: application/json.")
        length, source = request.content_length, request.stream
        config = self._config
        body = read_body(source, length, config.max_body_bytes, config.request_timeout_s)
        return read_json(body, plain=plain)

    def answer(self, request: Incoming, asked: ChatRequest) -> Response:
        """Starts the turn and answers in the caller's dialect, streamed or in one piece."""
        request.dialect = asked.dialect
        asked = self._turns.settle(asked)
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
        caller = Caller(request.id, request.started, request.environ.get("gunicorn.socket"))
        stream = self._turns.open(stream_id, asked, caller)
        if asked.stream:
            return _streamed(stream, dialect(answer), self._relay.outlet(request.environ))
        return _whole(stream, dialect.whole(answer))


def _dialect_of(path: str) -> str | None:
    """The dialect that a path alone names, so that every error below it leaves in its form.

    `/openai/v1/models` and `/v1/messages/batches` do, `/v1/chat/completions` does not.
    """
    _, first, *rest = path.split("/")
    name = rest[0] if first == "v1" and rest else first
    return name if name in DIALECTS else None


def _streamed(stream: Stream, dialect: Dialect, outlet: Outlet | None) -> Response:
    if dialect.waits_for_upstream:
        try:
            stream.wait_until_answered()
        except BaseException:
            stream.close()
            raise
    return Response(
        Body(stream, dialect, outlet),
        content_type=dialect.content_type,
        headers=STREAM_HEADERS | {"X-Stream-Id": stream.id},
        direct_passthrough=True,
    )


def _whole(stream: Stream, whole: Whole) -> Response:
    """Waits for the end of the turn and answers in one piece."""
    body = ""
    try:
        for _, events in stream:
            whole.add(events)
            if events and isinstance(events[-1], Done):
                body = dumps(whole.body())
                stream.wrote(len(body))
    finally:
        stream.close()
    if whole.error is not None:
        whole.error.model_ran = stream.turn.model_ran
        raise whole.error
    if stream.left is not None:
        raise stream.left
    return Response(
        body,
        content_type="application/json",
        headers={"X-Stream-Id": stream.id},
    )
