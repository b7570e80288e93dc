"""The answers and errors that every SDK gets from the mock's models, on every API."""

from typing import Any

from gateway.mock.texts import HI

ANSWER = HI.answer
SUMMARY = HI.reasoning  # shorter than the budget: it is its own summary

KEY = "sk-one"
"""The key of the gateway with API keys."""

PAUSES = "silent@silence=0.5,tps=0"
"""A model that pauses while it thinks."""

REFUSED = {
    "error-400": ("BadRequestError", 400, "maximum context length"),
    "error-401": ("APIStatusError", 424, "UPSTREAM_API_KEY"),
    "error-500": ("InternalServerError", 502, "error while processing"),
    "rate-limited": ("RateLimitError", 429, "try again in 7s"),
    "no-such-model": ("NotFoundError", 404, "does not exist"),
}
"""Model → the class of the SDK's exception, its status, and a piece of its message."""

BROKEN = {
    "error-in-stream": "ran out of memory",
    "cut": "broke off",
    "cut-thinking": "broke off",
}
"""Model → a piece of the message of the error that ends its stream."""


def retries(error: Any) -> int:
    """How many retries the SDK made before it raised this error."""
    return int(error.response.request.headers["x-stainless-retry-count"])
