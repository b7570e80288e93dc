"""The demo page at `/`."""

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from flask import Blueprint, Response, current_app, make_response, render_template

from gateway.config import Detail, Format, ReasoningMode
from gateway.incoming import incoming

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

_DOORS = {"responses": "/v1/responses", "messages": "/v1/messages"}
"""Formats that have a path of their own."""

_PLAIN_SCRIPTS = {"theme.js"}
_STATIC = Path(__file__).parent / "static"


def make_blueprint(version: str, summarizers: Sequence[str]) -> Blueprint:
    """The page's one route; its scripts and styles are served from `static/`.

    summarizers: those that a request may name, none if the operator chooses.
    """
    page = Blueprint("page", __name__)
    scripts = sorted(file.relative_to(_STATIC).as_posix() for file in _STATIC.rglob("*.js"))
    modules = [script for script in scripts if script not in _PLAIN_SCRIPTS]

    @page.get("/")
    def index() -> Response:
        paths = {rule.rule for rule in current_app.url_map.iter_rules()}
        response = make_response(
            render_template(
                "index.html",
                version=version,
                modules=modules,
                formats=[*get_args(Format), *(name for name in _DOORS if _DOORS[name] in paths)],
                reasoning_modes=get_args(ReasoningMode),
                details=get_args(Detail),
                summarizers=summarizers,
            )
        )
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @page.after_app_request
    def compress(response: Response) -> Response:
        """The page's files are sent compressed. Nothing else is: least of all a stream."""
        request = incoming()
        whole = request.endpoint == "static" and response.status_code == 200
        if whole and request.accept_encodings.quality("gzip") > 0:
            etag, _ = response.get_etag()
            response.direct_passthrough = False
            response.set_data(gzip.compress(response.get_data()))
            response.content_encoding = "gzip"
            response.vary.add("Accept-Encoding")
            response.set_etag(etag or "", weak=True)
        return response

    return page
