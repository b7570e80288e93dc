"""The Flask app: routes, statistics, errors. The WSGI server is in :mod:`gateway.mock.command`."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import gevent
import msgspec
from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from gateway.mock.answer import make_frames
from gateway.mock.delivery import deliver, join_frames
from gateway.mock.errors import ErrorReply, RequestRefused
from gateway.mock.frames import Frame, encode, make_head
from gateway.mock.kinds import KINDS, NO_KIND, ServerKind, read_thinking
from gateway.mock.local_answer import make_local_frames
from gateway.mock.models import MODELS, Script, owner_of
from gateway.mock.request import ChatRequest, Playback, Sampling, convert, read_request
from gateway.mock.strict import check_conversation

if TYPE_CHECKING:
    from gateway.mock.local_model import LocalModel

JSON = "application/json"
EVENT_STREAM = "text/event-stream; charset=utf-8"
HTML = "text/html; charset=utf-8"
COUNTERS = ("requests", "open_streams", "finished", "aborted", "tokens_sent")
MAX_BODY_BYTES = 32_000_000


def create_app(
    defaults: Playback = Playback(),  # noqa: B008 (it is frozen)
    local: "LocalModel | None" = None,
) -> Flask:
    """The app with the scripted models, or with one real model that answers every request."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    stats: dict[str, Any] = {**dict.fromkeys(COUNTERS, 0), "last_request": None}

    armed: dict[str, bool] = {}
    """Id of a running answer that takes control calls → whether its thinking should end."""

    @app.post("/v1/chat/completions")
    @app.post("/chat/completions")
    @app.post(f"/kinds/<any({','.join(KINDS)}):kind>/v1/chat/completions")
    def chat(kind: str | None = None) -> Response:
        raw = request.get_data()
        stats["requests"] += 1
        try:
            body = msgspec.json.decode(raw)
        except (ValueError, RecursionError):
            raise RequestRefused(ErrorReply(400, "The body is not valid JSON.")) from None
        names = sorted(request.headers.keys())
        stats["last_request"] = {"path": request.path, "headers": names, "body": body}
        if local:
            return answer_with_model(body, local, stats)
        return answer_with_script(
            *read_request(body, defaults), KINDS[kind] if kind else NO_KIND, body, armed, stats
        )

    @app.post("/beta/chat/completions")
    def beta() -> Response:
        """The path at which DeepSeek takes a prefill."""
        return chat("deepseek")

    @app.post("/kinds/<any('llama.cpp'):kind>/v1/chat/completions/control")
    def control(kind: str) -> Response:
        asked = request.get_json()
        if asked.get("action") != "reasoning_end":
            raise RequestRefused(ErrorReply(400, "Unknown action."))
        found = asked.get("id") in armed
        if found:
            armed[asked["id"]] = True
        return jsonify(success=found, message="" if found else "no active completion for this id")

    @app.get("/v1/models")
    @app.get("/models")
    @app.get(f"/kinds/<any({','.join(KINDS)}):kind>/v1/models")
    def models(kind: str | None = None) -> Response:
        common = {"object": "model", "created": 0}
        rows = [
            {
                "id": name,
                **common,
                "owned_by": KINDS[kind].owner if kind else owner_of(name),
                "description": script.about,
            }
            for name, script in MODELS.items()
        ]
        if local:
            about = "a real model, on this machine"
            rows = [{**common, "id": local.name, "owned_by": "local", "description": about}]
        return jsonify(object="list", data=rows)

    @app.get("/health")
    def health() -> Response:
        return jsonify(status="ok", open_streams=stats["open_streams"])

    @app.get("/stats")
    def show_stats() -> Response:
        return jsonify(stats)

    @app.errorhandler(RequestRefused)
    def refused(error: RequestRefused) -> Response:
        return error_response(error.reply)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        allowed = {name: value for name, value in error.get_headers() if name == "Allow"}
        message = f"{request.method} {request.path}: {error.name}."
        return error_response(ErrorReply(error.code or 500, message, headers=allowed))

    return app


def answer_with_script(
    chat_request: ChatRequest,
    script: Script,
    playback: Playback,
    server: ServerKind,
    body: Any,
    armed: dict[str, bool],
    stats: dict[str, Any],
) -> Response:
    """The scripted answer, page or error, after the playback's delay.

    armed: see create_app.
    """
    if script.is_strict:
        check_conversation(chat_request.messages, script.wants_reasoning)
    status, headers, kind = 200, {"Cache-Control": "no-cache"}, JSON
    if server.server:
        headers["Server"] = server.server
    frames: Iterator[Frame]
    if script.error:
        status, headers = script.error.status, {**script.error.headers}
        frames = iter([Frame(encode(script.error.body()))])
    elif script.page:
        kind, frames = HTML, iter([Frame(script.page.encode())])
    else:
        kind = EVENT_STREAM if chat_request.stream else JSON
        thinking = read_thinking(server, body, script.quirk)
        head = make_head(chat_request.model, chat_request.stream)
        id = head["id"]
        if server.has_control and body.get("reasoning_control") is True:
            armed[id] = False
        frames = make_frames(
            chat_request, script, playback, thinking, head, lambda: armed.get(id, False)
        )
        frames = disarming(frames, armed, id)
    frames = chain([Frame(pause_s=playback.delay_s)], frames)
    frames = join_frames(frames, playback.frames_per_write)
    data = deliver(frames, playback.tokens_per_second, stats, client_gone())
    return Response(data, status, headers, content_type=kind)


def disarming(frames: Iterator[Frame], armed: dict[str, bool], id: str) -> Iterator[Frame]:
    """The frames. After the last one, the answer takes no more control calls."""
    try:
        yield from frames
    finally:
        armed.pop(id, None)


def answer_with_model(body: Any, local: "LocalModel", stats: dict[str, Any]) -> Response:
    """The real model's answer, whatever model the request names."""
    chat_request = convert(body, ChatRequest)
    sampling = convert(body, Sampling)
    messages = [{"role": m.role, "content": m.text()} for m in chat_request.messages]
    prompt, opening = local.encode_prompt(messages)
    if len(prompt) >= local.context_length:
        message = f"This model's maximum context length is {local.context_length} tokens."
        raise RequestRefused(ErrorReply(400, message, "context_length_exceeded", "messages"))
    run_in_thread = gevent.get_hub().threadpool.apply
    pieces = local.generate(prompt, chat_request.token_limit, sampling, run_in_thread)
    frames = make_local_frames(chat_request, local.name, len(prompt), opening, pieces)
    kind = EVENT_STREAM if chat_request.stream else JSON
    return Response(deliver(frames, 0, stats, client_gone()), content_type=kind)


def error_response(error: ErrorReply) -> Response:
    return Response(encode(error.body()), error.status, error.headers, content_type=JSON)


def client_gone() -> Callable[[], bool]:
    """A function that tells whether the request's client has left.

    Under a WSGI server other than that of gateway.mock.command, it always returns False.
    """
    gone: Callable[[], bool] = request.environ.get("mock.client_gone", lambda: False)
    return gone
