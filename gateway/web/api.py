"""The routes of the client APIs, and what is done before and after every request."""

import re
import uuid
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, get_args

from flask import Blueprint, Response

from gateway.apis import Api, dialects_of
from gateway.apis.base import KEY_HEADERS, Endpoint, EndpointRequest, Operation, Replay, ServedModel
from gateway.config import Config, Format
from gateway.core.families import Families
from gateway.core.sse import dumps
from gateway.errors import UnknownModel
from gateway.relay.streams import Streams
from gateway.routing.kinds import KnownKinds
from gateway.routing.models import ListedModel, ModelList
from gateway.upstreams.kinds import described
from gateway.web.auth import Authenticator
from gateway.web.browsers import add_checks
from gateway.web.inference import Inference
from gateway.web.request import current_request
from gateway.web.streams import StreamReader, add_stream_routes

_VALID_ID = re.compile(r"[\w.:-]{1,128}\Z")


def make_blueprint(
    config: Config,
    apis: Sequence[Api],
    inference: Inference,
    model_list: ModelList,
    kinds: KnownKinds,
    families: Families,
    streams: Streams,
    reader: StreamReader,
    clock: Callable[[], float],
) -> Blueprint:
    """Returns the routes, bound to the services they use. clock: monotonic seconds."""
    blueprint = Blueprint("api", __name__)
    _add_hooks(blueprint, config, apis, clock)

    def allowed() -> list[ListedModel]:
        may_use = current_request().principal.may_use
        return [model for model in model_list.models() if may_use(model.id)]

    def served() -> list[ServedModel]:
        return [ServedModel(model.id, model.own_name) for model in allowed()]

    for api in apis:
        _add_api(blueprint, api, inference, reader, served)
    add_stream_routes(blueprint, streams, reader)
    formats = ",".join(get_args(Format))

    @blueprint.get("/v1/models")
    @blueprint.get(f"/<any({formats}):format>/v1/models")
    def models(format: str | None = None) -> Response:
        data = [_described(families, kinds, model) for model in allowed()]
        ids = [model["id"] for model in data] or [None]
        # Anthropic's SDKs need these members to read a list page by page.
        page = {"first_id": ids[0], "last_id": ids[-1], "has_more": False}
        return _json({"object": "list", "data": data, **page})

    @blueprint.get("/v1/models/<path:id>")
    @blueprint.get(f"/<any({formats}):format>/v1/models/<path:id>")
    def model(id: str, format: str | None = None) -> Response:
        found = {model.id: model for model in allowed()}
        if id not in found:
            raise UnknownModel(id, list(found))
        return _json(_described(families, kinds, found[id]))

    return blueprint


def _described(families: Families, kinds: KnownKinds, model: ListedModel) -> dict[str, Any]:
    """A model with the members of OpenAI's and Anthropic's lists, and the gateway's own."""
    return {
        "id": model.id,
        "object": "model",
        "type": "model",
        "display_name": model.id,
        # Strict clients need a date; Anthropic writes an unknown one like this.
        "created": 0,
        "created_at": "1970-01-01T00:00:00Z",
        "owned_by": model.owner,
        "family": families.find(model.own_name).name,
        "unmarked_text": _unmarked_text(families, model),
        "upstream": model.upstream,
        "server": described(kinds.known(model.upstream)),
    }


def _add_api(
    blueprint: Blueprint,
    api: Api,
    inference: Inference,
    reader: StreamReader,
    served: Callable[[], Sequence[ServedModel]],
) -> None:
    """Adds the routes of one row of APIS.

    served: the models that the client of the current request may use.
    """

    def add_operation(operation: Operation) -> None:
        def answer(format: str | None = None) -> Response:
            return inference.answer(api, operation, current_request(), format)

        for path in operation.paths:
            rule = path.replace("{format}", f"<any({','.join(api.formats)}):format>")
            blueprint.add_url_rule(rule, f"{api.name} {path}", answer, methods=["POST"])

    def add_endpoint(endpoint: Endpoint) -> None:
        def answer(**segments: str) -> Response:
            current = current_request()
            request = EndpointRequest(
                body=inference.read_body(api, current) if endpoint.reads_body else {},
                segments=segments,
                answers=reader.answers(current.principal),
                query=current.args,
                models=served() if endpoint.needs_models else (),
            )
            answered = endpoint.answer(request)
            if isinstance(answered, Replay):
                return reader.replay(answered)
            return _json(answered, endpoint.headers)

        rule = re.sub(r"\{(\w+)\}", r"<\1>", endpoint.path)
        methods = list(endpoint.methods)
        name = f"{api.name} {endpoint.path} {methods[0]}"
        blueprint.add_url_rule(rule, name, answer, methods=methods)

    for operation in api.operations:
        add_operation(operation)
    for endpoint in api.endpoints:
        add_endpoint(endpoint)


def _unmarked_text(families: Families, model: ListedModel) -> dict[str, str]:
    """What this model's text counts as if it has no markers, unless a request says otherwise."""
    belief = families.belief(model.upstream, model.own_name)
    return {"counts_as": belief.counts_as, "why": belief.why}


def _json(value: Any, headers: Mapping[str, str] | None = None) -> Response:
    return Response(dumps(value), content_type="application/json", headers=headers)


def _add_hooks(
    blueprint: Blueprint, config: Config, apis: Sequence[Api], clock: Callable[[], float]
) -> None:
    """Adds what is done before and after every request.

    The key is checked only for requests to this blueprint. clock: monotonic seconds.
    """
    formats = dialects_of(apis)

    @blueprint.before_app_request
    def name_request() -> None:
        request = current_request()
        request.started = clock()
        request.dialect = _dialect_of(request.path, apis, formats)
        sent = request.headers.get("X-Request-Id", "")
        request.id = sent if _VALID_ID.match(sent) else str(uuid.uuid4())

    @blueprint.after_app_request
    def return_id(response: Response) -> Response:
        # OpenAI's SDKs read X-Request-Id, Anthropic's request-id.
        response.headers["X-Request-Id"] = response.headers["request-id"] = current_request().id
        return response

    add_checks(blueprint, config.origins, config.hosts)
    if config.principals:
        authenticator = Authenticator(config.principals)
        key_headers = {api.name: api.key_headers for api in apis}

        @blueprint.before_request
        def authenticate() -> None:
            """Runs before a route reads the body."""
            request = current_request()
            if request.method != "OPTIONS":  # a browser's preflight request has no key
                api = (request.endpoint or "").removeprefix("api.").partition(" ")[0]
                headers = key_headers.get(api, KEY_HEADERS)
                request.principal = authenticator.authenticate(request.headers, headers)


def _dialect_of(path: str, apis: Sequence[Api], formats: Container[str]) -> str | None:
    """The dialect that a path alone tells; errors on such a path are answered in it.

    `/openai/v1/models` and `/v1/messages/batches` tell one, `/v1/chat/completions` does not.
    """
    first = path.split("/", 2)[1]
    if first in formats:
        return first
    found = (api for api in apis if len(api.formats) == 1 and api.has_path(path))
    return next((name for api in found for name in api.formats), None)
