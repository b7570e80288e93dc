"""What all kinds of requests share: JSON objects, and their faults as sentences."""

from typing import Any, TypeVar

import msgspec

from gateway.config.validation import explain
from gateway.errors import BadRequest

T = TypeVar("T")


def read_json(data: bytes, not_json: str | None = None) -> dict[str, Any]:
    """The JSON object of a body. Raises BadRequest.

    not_json: the message for a body that is no JSON, where a format's contract words it.
    """
    try:
        body = msgspec.json.decode(data)
    except ValueError as error:
        if not_json is not None:
            raise BadRequest(not_json) from None
        raise BadRequest(f"The body is not valid JSON: {error}.") from None
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body


def convert(body: dict[str, Any], type: type[T], within: str = "") -> T:
    """The body, or what is at the path `within` it, as a typed value.

    Raises BadRequest with the path of the fault.
    """
    try:
        return msgspec.convert(body, type)
    except msgspec.ValidationError as error:
        path, what = explain(error, type)
        path = f"{within}.{path}".strip(".")
        raise BadRequest(f"{path or 'The body'}: {what}.", param=path or None) from None


def unsupported(param: str, what: str) -> BadRequest:
    """The error for what an API has and the gateway has not, as OpenAI words it."""
    return BadRequest(
        f"Unsupported parameter: '{param}': {what}.", param=param, code="unsupported_parameter"
    )
