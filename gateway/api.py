"""The API: a request in, a stream or one JSON object out."""

import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
from flask import Blueprint, Response, g, request

from gateway.config import Config, Detail, Format, ReasoningMode
from gateway.dialects import DIALECTS, Answer, Completion
from gateway.errors import BadRequest, ClientLeft, UnsupportedMedia, UpstreamBroke, explain
from gateway.families import Families
from gateway.relay import Body, Relay, Stream
from gateway.sse import dumps
from gateway.summarizers import BUDGET_WORDS, SUMMARIZERS, summarize_prompt
from gateway.transport import Transport
from gateway.turn import Turn
from gateway.upstreams.chat import ChatUpstream

STREAM_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would hold the stream back
}
_SANE_ID = re.compile(r"[\w.:-]{1,128}\Z")
_MAX_LOGGED_NAME = 200
_FORMATS = f"<any({','.join(DIALECTS)}):format>"


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gateway's own part of a request; it never reaches the upstream."""

    format: Format | None = None
    reasoning: ReasoningMode = "summary"
    detail: Detail = "auto"
    starts_inside: bool | None = None


class Message(msgspec.Struct, frozen=True):
    """As much of a message as the gateway looks at."""

    role: str
    content: str | list[dict[str, Any]] | None = None


class ChatRequest(msgspec.Struct, frozen=True):
    """As much of a request as the gateway looks at; the rest goes on as it came."""

    model: str | None = None
    messages: list[Message] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    n: int | None = None
    gateway: Options | None = None


def make_blueprint(
    config: Config,
    relay: Relay,
    transport: Transport,
    upstream: ChatUpstream,
    families: Families,
    clock: Callable[[], float],
) -> Blueprint:
    """The routes, bound to the services they use."""
    api = Blueprint("api", __name__)

    @api.before_request
    def name_request() -> None:
        g.started = clock()
        g.format = (request.view_args or {}).get("format")
        sent = request.headers.get("X-Request-Id", "")
        g.request_id = sent if _SANE_ID.match(sent) else f"req_{uuid.uuid4().hex}"

    @api.after_request
    def return_id(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        return response

    @api.post("/v1/chat/completions")
    @api.post(f"/{_FORMATS}/v1/chat/completions")
    def chat_completions(format: str | None = None) -> Response:
        body = _json_object(request.get_data(cache=False))
        prompted = "messages" not in body and ("prompt" in body or format == "plain")
        asked = _decode(body)
        options = asked.gateway or Options()
        g.format = options.format or format or ("plain" if prompted else config.default_format)
        if prompted:
            body = body | {"messages": _messages_of_prompt(body, config.max_prompt_chars)}
        _check(asked, body)

        summary = summarize_prompt(body["messages"])
        family = families.find(asked.model or "")
        turn = Turn(
            started=g.started,
            prompt_summary=summary,
            reasoning=options.reasoning,
            reader=upstream.reader(),
            splitter=family.splitter(options.starts_inside),
            summarizer=SUMMARIZERS["extractive"](summary, BUDGET_WORDS[options.detail]),
        )
        stream_id = uuid.uuid4().hex
        answer = Answer(
            id=f"chatcmpl-{stream_id}",
            model=asked.model or "default",
            created=int(time.time()),
            reasoning=options.reasoning,
            include_usage=bool((asked.stream_options or {}).get("include_usage")),
        )
        sent = {name: value for name, value in body.items() if name not in ("gateway", "prompt")}
        stream = relay.open(
            stream_id,
            turn,
            upstream,
            upstream.completion(sent, g.request_id),
            started=g.started,
            client=request.environ.get("gunicorn.socket"),
            record={
                "request": g.request_id,
                "format": g.format,
                "model": answer.model[:_MAX_LOGGED_NAME],
                "family": family.name,
                "upstream": upstream.name,
            },
        )
        if not asked.stream:
            return _whole(stream, answer)
        return _streamed(stream, answer)

    @api.get("/v1/models")
    @api.get(f"/{_FORMATS}/v1/models")
    def models(format: str | None = None) -> Response:
        with transport.send(upstream.models(g.request_id), config.connect_timeout_s) as reply:
            if reply.status != 200:
                raise upstream.refusal(reply.status, reply.headers, reply.refusal())
            listed = upstream.model_ids(reply.json())
        if listed is None:
            raise UpstreamBroke("The upstream's list of models could not be read.")
        data = [
            {
                "id": id,
                "object": "model",
                "owned_by": owner,
                "family": families.find(id).name,
                "upstream": upstream.name,
            }
            for id, owner in listed
        ]
        return Response(dumps({"object": "list", "data": data}), content_type="application/json")

    return api


def _streamed(stream: Stream, answer: Answer) -> Response:
    dialect = DIALECTS[g.format](answer)
    if dialect.waits_for_upstream:
        try:
            stream.wait_until_answered()
        except BaseException:
            stream.close()
            raise
    headers = STREAM_HEADERS | {"X-Stream-Id": stream.id}
    return Response(
        Body(stream, dialect),
        content_type=dialect.content_type,
        headers=headers,
        direct_passthrough=True,
    )


def _whole(stream: Stream, answer: Answer) -> Response:
    """Waits for the end of the turn and answers in one piece."""
    completion = Completion(answer)
    try:
        for _, events in stream:
            completion.add(events)
    finally:
        stream.close()
    if completion.error is not None:
        raise completion.error
    if stream.left:
        raise ClientLeft("The client closed the connection.")
    return Response(
        dumps(completion.body()),
        content_type="application/json",
        headers={"X-Stream-Id": stream.id},
    )


def _json_object(data: bytes) -> dict[str, Any]:
    """The body as a dict; BadRequest or UnsupportedMedia say what is wrong with it."""
    plain = g.format == "plain"
    if not request.is_json and request.mimetype:
        if plain:
            raise BadRequest("No JSON body provided")
        raise UnsupportedMedia("Send the request as JSON, with Content-Type: application/json.")
    if plain and not data.strip():
        raise BadRequest("No JSON body provided")
    try:
        body = msgspec.json.decode(data)
    except ValueError as error:
        if plain:
            raise BadRequest("No JSON body provided") from None
        raise BadRequest(f"The body is not valid JSON: {error}.") from None
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body


def _decode(body: dict[str, Any]) -> ChatRequest:
    try:
        return msgspec.convert(body, ChatRequest)
    except msgspec.ValidationError as error:
        path, what = explain(error)
        raise BadRequest(f"{path or 'The body'}: {what}.", param=path or None) from None


def _messages_of_prompt(body: dict[str, Any], max_chars: int) -> list[dict[str, str]]:
    """The one message of a prompt request. The sentences are part of the public contract."""
    prompt = body.get("prompt") or ""
    if not isinstance(prompt, str):
        raise BadRequest("Prompt must be a string", param="prompt")
    if not prompt.strip():
        raise BadRequest("Prompt cannot be empty", param="prompt")
    if len(prompt) > max_chars:
        raise BadRequest("Prompt exceeds maximum length", param="prompt")
    if body.get("stream") is not True:
        raise BadRequest("stream parameter must be true", param="stream")
    return [{"role": "user", "content": prompt}]


def _check(asked: ChatRequest, body: dict[str, Any]) -> None:
    """What types can't say."""
    if not body.get("messages"):
        raise BadRequest("messages must hold at least one message.", param="messages")
    if "prompt" in body and asked.messages is not None:
        raise BadRequest("Send either messages or prompt, not both.", param="prompt")
    if asked.n not in (None, 1):
        raise BadRequest(
            "n must be 1: the phases of several answers can't share a stream.", param="n"
        )
