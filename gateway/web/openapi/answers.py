"""What the paths that belong to no API answer, as JSON schemas."""

from typing import Any, get_args

from gateway.apis.base import Schema
from gateway.apis.schemas import (
    COUNT,
    OBJECT,
    OPENAI_ERROR,
    STRING,
    STRING_OR_NULL,
    list_of,
    object_of,
)
from gateway.config import UpstreamKind
from gateway.core.families.evidence import CountsAs, Why
from gateway.upstreams import Way

REF = "#/components/schemas/"
_SERVER = {
    **object_of(
        {
            "kind": {"enum": [*get_args(UpstreamKind), None]},
            "thinking_budget": {
                **STRING_OR_NULL,
                "description": "Its member that limits the tokens of the thinking.",
            },
            "answer_now": list_of({"enum": list(get_args(Way))}),
        }
    ),
    "description": "What the model server is and can do; kind null: not known yet.",
}
_MODEL = object_of(
    {
        "id": STRING,
        "object": {"const": "model"},
        "type": {"const": "model"},
        "display_name": STRING,
        "created": {**COUNT, "description": "0: not known."},
        "created_at": STRING,
        "owned_by": STRING,
        "family": {
            **STRING,
            "description": "How the gateway takes its reasoning to be marked.",
        },
        "unmarked_text": {
            **object_of(
                {
                    "counts_as": {"enum": list(get_args(CountsAs))},
                    "why": {"enum": list(get_args(Why))},
                }
            ),
            "description": "What a text of it without markers counts as.",
        },
        "upstream": STRING,
        "server": _SERVER,
    }
)
MODEL = Schema("Model", _MODEL)
MODEL_LIST = Schema(
    "ModelList",
    object_of(
        {
            "object": {"const": "list"},
            "data": list_of(_MODEL),
            "first_id": STRING_OR_NULL,
            "last_id": STRING_OR_NULL,
            "has_more": {"const": False},
        }
    ),
)
_BREAKER = {"enum": ["closed", "open", "half_open"]}
_BOOLEAN = {"type": "boolean"}
_UPSTREAMS = list_of(
    object_of(
        {
            "name": STRING,
            "breaker": {**_BREAKER, "description": "The worst of its breakers."},
            "open_streams": COUNT,
            "healthy": _BOOLEAN,
            "url": STRING,
            "cause": {**STRING_OR_NULL, "description": "Why its last call failed."},
            "key_refused": _BOOLEAN,
            "reachable": _BOOLEAN,
            "models": {
                **list_of(
                    object_of(
                        {
                            "model": STRING,
                            "breaker": _BREAKER,
                            "paused": _BOOLEAN,
                            "callers": {
                                "type": ["integer", "null"],
                                "description": "How many callers it concerns; null: all.",
                            },
                        }
                    )
                ),
                "description": "Models that it is not asked for, or that are on trial.",
            },
        },
        server=_SERVER,
    )
)
_WORKERS = {
    **list_of(
        object_of(
            {
                "worker": COUNT,
                "age_s": {"type": "number"},
                "open_streams": COUNT,
                "kept_streams": COUNT,
                "kept_bytes": COUNT,
                "upstreams": _UPSTREAMS,
            }
        )
    ),
    "description": "The views of all workers of this host.",
}
HEALTH = Schema(
    "Health",
    {
        **object_of(
            {"status": {"const": "ok"}},
            version=STRING,
            uptime_s={"type": "number"},
            open_streams=COUNT,
            upstreams=_UPSTREAMS,
            workers=_WORKERS,
        ),
        "description": "With ADMIN_BIND, only the status is for everyone.",
    },
)
READINESS = Schema("Readiness", object_of({"status": STRING}, causes=OBJECT))
DOCUMENT = Schema("Document", object_of({"openapi": STRING, "info": OBJECT, "paths": OBJECT}))
TEXT = Schema("Text", STRING)
EVENT = Schema(
    "Event",
    {
        "description": "One server-sent event of the stream; docs/api.md says which there are.",
        **object_of(
            {"data": {**STRING, "pattern": r"^(\{.*\}|\[DONE\])$"}}, event=STRING, id=STRING
        ),
    },
)
STREAM = Schema(
    "Stream",
    object_of(
        {
            "id": STRING,
            "object": {"const": "stream"},
            "status": {"enum": ["answering", "stopped", "forgotten"]},
        }
    ),
)
ALL = (STREAM, MODEL, MODEL_LIST, HEALTH, READINESS, DOCUMENT, TEXT, EVENT, OPENAI_ERROR)

JSON = "application/json"
EVENT_STREAM = "text/event-stream"


def ref(schema: Schema) -> dict[str, Any]:
    """A reference to a schema."""
    return {"$ref": f"{REF}{schema.name}"}


def content(**schema_of: Schema) -> dict[str, Any]:
    """Media types of an answer: `json`, `events`, `text` or `html`, each with its schema.

    OpenAPI 3.1 does not say what the schema of a stream is of; as usual it is that of one event.
    """
    types = {"json": JSON, "events": EVENT_STREAM, "text": "text/plain", "html": "text/html"}
    return {types[kind]: {"schema": ref(schema)} for kind, schema in schema_of.items()}
