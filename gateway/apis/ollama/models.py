"""The lists of models in Ollama's form, and the paths of Ollama's API that the gateway refuses.

A client only uses the capabilities that are listed. The gateway does not know those of a model, so
it lists all that the API has; the model server refuses a request that its model can't handle.
"""

import re
from hashlib import sha256
from typing import Any

from gateway.apis.base import EndpointRequest, ServedModel
from gateway.config import LATEST, plain_name
from gateway.errors import BadRequest, NotFound, NotOffered, shortened

API_VERSION = "0.20.0"
"""The version of Ollama whose API this is. VS Code refuses one below 0.6.4."""
_CAPABILITIES = ["completion", "tools", "thinking", "vision"]
_UNKNOWN_DATE = "1970-01-01T00:00:00Z"
_FOR_EVER = "2318-01-01T00:00:00Z"
"""Ollama's expiry date of a model that it never unloads."""


def version(_request: EndpointRequest) -> dict[str, Any]:
    """`/api/version`: returns the version."""
    return {"version": API_VERSION}


def tags(request: EndpointRequest) -> dict[str, Any]:
    """`/api/tags`: returns the models."""
    return {"models": [_listed(model) for model in request.models]}


def loaded(request: EndpointRequest) -> dict[str, Any]:
    """`/api/ps`: returns all models, because the gateway can't know which ones are loaded."""
    more = {"expires_at": _FOR_EVER, "size_vram": 0, "context_length": 0}
    return {"models": [_listed(model) | more for model in request.models]}


def show(request: EndpointRequest) -> dict[str, Any]:
    """`/api/show`: returns one model. Raises BadRequest or NotFound."""
    name = request.body.get("model") or request.body.get("name")
    if not isinstance(name, str):
        raise BadRequest("model is required", param="model")
    for model in request.models:
        if _tagged(model.id) == _tagged(name):
            architecture = _architecture(model)
            return {
                "license": "",
                "modelfile": "",
                "parameters": "",
                "template": "{{ .Prompt }}",
                "details": _details(model),
                "model_info": {
                    "general.architecture": architecture,
                    "general.basename": model.id,
                },
                "capabilities": _CAPABILITIES,
                "modified_at": _UNKNOWN_DATE,
            }
    raise NotFound(f"model '{shortened(name)}' not found")


def not_offered(request: EndpointRequest) -> dict[str, Any]:
    """The paths that manage models or make embeddings. Raises NotOffered."""
    raise NotOffered(
        "The gateway answers /api/chat and /api/generate; its model servers hold the models, and "
        "it makes no embeddings."
    )


def _listed(model: ServedModel) -> dict[str, Any]:
    """Returns a model's entry in the lists. The name has a tag, which Open WebUI expects."""
    return {
        "name": _tagged(model.id),
        "model": _tagged(model.id),
        "modified_at": _UNKNOWN_DATE,
        "size": 0,
        "digest": sha256(model.id.encode("utf-8", "surrogatepass")).hexdigest(),
        "details": _details(model),
        "capabilities": _CAPABILITIES,
    }


def _details(model: ServedModel) -> dict[str, Any]:
    architecture = _architecture(model)
    return {
        "parent_model": "",
        "format": "gguf",
        "family": architecture,
        "families": [architecture],
        "parameter_size": "",
        "quantization_level": "",
    }


def _architecture(model: ServedModel) -> str:
    """Returns the first word of a model's name: `qwen3` of `Qwen/Qwen3-8B`."""
    found = re.match(r"[a-z]+[\d.]*", plain_name(model.own_name))
    return found[0] if found else "unknown"


def _tagged(id: str) -> str:
    return id if ":" in id else id + LATEST
