"""The demo page at `/`."""

from collections.abc import Sequence
from typing import get_args

from flask import Blueprint, Response, make_response, render_template

from gateway.config import Format, ReasoningMode

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The page needs nothing from elsewhere, and no inline code."""


def make_blueprint(version: str, summarizers: Sequence[str]) -> Blueprint:
    """The page's one route; its scripts and styles are served from `static/`.

    summarizers: those that a request may name, none if the operator chooses.
    """
    page = Blueprint("page", __name__)

    @page.get("/")
    def index() -> Response:
        response = make_response(
            render_template(
                "index.html",
                version=version,
                formats=get_args(Format),
                reasoning_modes=get_args(ReasoningMode),
                summarizers=summarizers,
            )
        )
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return page
