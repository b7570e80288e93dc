"""JSON request bodies: decoding, typing, and errors that name the path of the faulty member."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from gateway.config.validation import explain
from gateway.core.json_size import MAX_VALUES, has_too_many_values
from gateway.errors import BadRequest

T = TypeVar("T")


def read_json(
    data: bytes, not_json: str | None = None, pause: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """Returns the JSON object of a request body. Raises BadRequest.

    not_json: the error message for a body that is not JSON, if a format's contract fixes it.
    pause: called now and then, because a large body takes long.
    """
    if has_too_many_values(data, pause=pause):
        raise BadRequest(
            f"The body holds more than {MAX_VALUES} values; send fewer or longer ones.",
            code="too_many_values",
        )
    try:
        body = msgspec.json.decode(data)
    except ValueError as error:
        if not_json is not None:
            raise BadRequest(not_json) from None
        raise BadRequest(f"The body is not valid JSON: {error}.") from None
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return body


def convert(body: dict[str, Any], type: type[T], path: str = "") -> T:
    """Returns the body as a value of the type.

    path: the path of the body in the request, if it is only a part of one. Raises BadRequest that
    names the path of the faulty member.
    """
    try:
        return msgspec.convert(body, type)
    except msgspec.ValidationError as error:
        inner_path, problem = explain(error, type)
        path = f"{path}.{inner_path}".strip(".")
        raise BadRequest(f"{path or 'The body'}: {problem}.", param=path or None) from None


def unsupported(param: str, reason: str) -> BadRequest:
    """Returns the error for a parameter that the gateway does not support, worded as OpenAI's."""
    return BadRequest(
        f"Unsupported parameter: '{param}': {reason}.", param=param, code="unsupported_parameter"
    )
