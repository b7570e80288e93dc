"""Ollama's API: chats, texts, and the lists of models that its clients ask for first.

The demo page does not offer the format: it can only read server-sent events, and the summaries are
the same as in `openai`.
"""

from gateway.apis.base import Api, Endpoint, Operation, Schema, StreamFormat
from gateway.apis.ollama.models import loaded, not_offered, show, tags, version
from gateway.apis.ollama.request import ChatBody, GenerateBody, read_chat, read_generate
from gateway.apis.ollama.stream import OllamaDialect
from gateway.apis.schemas import COUNT, OBJECT, STRING, list_of, object_of
from gateway.errors import NotOffered

_MESSAGE = object_of(
    {"role": {"const": "assistant"}, "content": STRING},
    thinking={**STRING, "description": "The summaries, or the trace for raw and both."},
    reasoning_summary={**STRING, "description": "The summaries, for both."},
    tool_calls=list_of(OBJECT),
)
_END = {
    "done_reason": {"enum": ["stop", "length", "load", "unload"]},
    "total_duration": {**COUNT, "description": "Nanoseconds, as all durations."},
    "load_duration": COUNT,
    "prompt_eval_count": COUNT,
    "prompt_eval_duration": COUNT,
    "eval_count": COUNT,
    "eval_duration": COUNT,
    "logprobs": list_of(OBJECT),
}
_HEAD = {"model": STRING, "created_at": STRING, "done": {"type": "boolean"}}
_ERROR = object_of({"error": STRING})
_LINE = {
    "description": "One line of the stream.",
    "anyOf": [
        object_of(_HEAD | {"message": _MESSAGE}, **_END),
        object_of(_HEAD | {"response": STRING}, thinking=STRING, **_END),
        _ERROR,
    ],
}
_DETAILS = object_of({"format": STRING, "family": STRING, "families": list_of(STRING)})
_MODEL = object_of(
    {
        "name": STRING,
        "model": STRING,
        "modified_at": STRING,
        "size": COUNT,
        "digest": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "details": _DETAILS,
        "capabilities": list_of(STRING),
    }
)
_MODELS = Schema("OllamaModels", object_of({"models": list_of(_MODEL)}))
_SHOWN = object_of({"details": _DETAILS, "model_info": OBJECT, "capabilities": list_of(STRING)})
_NAMED = {
    **object_of({}, model=STRING, name={**STRING, "description": "Older clients' `model`."}),
    "anyOf": [{"required": ["model"]}, {"required": ["name"]}],
}

OLLAMA = Api(
    name="ollama",
    title="A chat, as Ollama has it",
    paths=("/api/chat",),
    formats={
        "ollama": StreamFormat(
            OllamaDialect, "Ollama's API.", item=Schema("OllamaLine", _LINE), on_page=False
        )
    },
    read=read_chat,
    request=ChatBody,
    answer=Schema("OllamaChat", object_of(_HEAD | {"message": _MESSAGE}, **_END)),
    error=Schema("OllamaError", _ERROR),
    other_operations=(
        Operation(
            name="ollama_generate",
            title="A text, as Ollama has it",
            paths=("/api/generate",),
            read=read_generate,
            request=GenerateBody,
            answer=Schema(
                "OllamaText", object_of(_HEAD | {"response": STRING}, thinking=STRING, **_END)
            ),
        ),
    ),
    endpoints=(
        Endpoint(
            "/api/version",
            ("GET",),
            "The version of Ollama whose API this is",
            version,
            Schema("OllamaVersion", object_of({"version": STRING})),
        ),
        Endpoint("/api/tags", ("GET",), "The models", tags, _MODELS, needs_models=True),
        Endpoint("/api/ps", ("GET",), "The models again", loaded, _MODELS, needs_models=True),
        Endpoint(
            "/api/show",
            ("POST",),
            "One of the models",
            show,
            Schema("OllamaShown", _SHOWN),
            request=Schema("OllamaShowRequest", _NAMED),
            reads_body=True,
            needs_models=True,
        ),
        *(
            Endpoint(path, (method,), "Not offered", not_offered, refusal=NotOffered)
            for path, method in (
                ("/api/embed", "POST"),
                ("/api/embeddings", "POST"),
                ("/api/pull", "POST"),
                ("/api/push", "POST"),
                ("/api/create", "POST"),
                ("/api/copy", "POST"),
                ("/api/delete", "DELETE"),
                ("/api/blobs/{digest}", "POST"),
            )
        ),
    ),
    prefixes=("/api",),
    takes_any_content_type=True,
)
