"""The API: a request in, a stream or one JSON object out."""

import re
import uuid
from collections.abc import Callable
from typing import get_args

from flask import Blueprint, Response

from gateway.apis import DIALECTS
from gateway.apis.chat.request import format_of, read_chat
from gateway.apis.messages.request import count_tokens, read_messages
from gateway.apis.responses.request import read_responses
from gateway.config import Config, Format
from gateway.core.families import Families
from gateway.core.sse import dumps
from gateway.errors import NotFound
from gateway.routing.models import Catalog
from gateway.web.auth import Keys
from gateway.web.inference import Inference
from gateway.web.request import incoming

_SANE_ID = re.compile(r"[\w.:-]{1,128}\Z")
_FORMATS = f"<any({','.join(get_args(Format))}):format>"


def make_blueprint(
    config: Config,
    inference: Inference,
    catalog: Catalog,
    families: Families,
    clock: Callable[[], float],
) -> Blueprint:
    """The routes, bound to the services they use."""
    api = Blueprint("api", __name__)
    _add_hooks(api, config, clock)

    @api.post("/v1/chat/completions")
    @api.post(f"/{_FORMATS}/v1/chat/completions")
    def chat_completions(format: Format | None = None) -> Response:
        request = incoming()
        body = inference.read_body(request, plain=format == "plain")
        request.dialect = format_of(body, format, config.default_format)
        return inference.answer(
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
        return inference.answer(
            request, read_messages(inference.read_body(request), config.messages_summary)
        )

    @api.post("/v1/messages/count_tokens")
    def count() -> Response:
        answer = {"input_tokens": count_tokens(inference.read_body(incoming())), "estimated": True}
        return Response(
            dumps(answer), content_type="application/json", headers={"X-Token-Count": "estimated"}
        )

    @api.post("/v1/responses")
    @api.post("/openai/v1/responses")
    def responses() -> Response:
        summary, other_tools = config.responses_summary, config.responses_other_tools
        request = incoming()
        return inference.answer(
            request, read_responses(inference.read_body(request), summary, other_tools)
        )

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
            for model in catalog.models()
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


def _dialect_of(path: str) -> str | None:
    """The dialect that a path alone names, so that every error below it leaves in its form.

    `/openai/v1/models` and `/v1/messages/batches` do, `/v1/chat/completions` does not.
    """
    _, first, *rest = path.split("/")
    name = rest[0] if first == "v1" and rest else first
    return name if name in DIALECTS else None
