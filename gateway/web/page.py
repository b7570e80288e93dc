"""The demo page at `/`, with its scripts and style sheets."""

import gzip
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import get_args

from flask import (
    Blueprint,
    Response,
    make_response,
    render_template,
    send_from_directory,
)

from gateway.apis import Api
from gateway.config import Detail, ReasoningMode
from gateway.web.request import current_request

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
"""The page loads nothing from other origins and has no inline code."""

_CLASSIC_SCRIPTS = {"theme.js"}
"""Scripts that are not modules."""
_LAZY = ("lazy/", "markdown/", "vendor/")
"""The folders of the modules that the page loads when they are first needed."""
_STATIC = Path(__file__).parent.parent / "static"
_ONE_YEAR_S = 365 * 24 * 3600


def make_blueprint(apis: Sequence[Api], version: str, summarizers: Sequence[str]) -> Blueprint:
    """Returns the routes of the page and its static files.

    summarizers: the names that a request may choose from; empty if it may not choose.
    """
    page = Blueprint("page", __name__)
    fingerprint, modules = _read_static()

    @page.get("/")
    def index() -> Response:
        response = make_response(
            render_template(
                "index.html",
                version=version,
                static=f"static/{fingerprint}",
                modules=modules,
                apis=apis,
                reasoning_modes=get_args(ReasoningMode),
                details=get_args(Detail),
                summarizers=summarizers,
            )
        )
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        return _compressed(response)

    @page.get("/static/<requested>/<path:name>")
    def static(requested: str, name: str) -> Response:
        """A static file, which browsers may cache for a year if the URL has its fingerprint.

        A page that was loaded before an update has another fingerprint in its URLs. It gets the
        current file, with `no-cache`.
        """
        is_current = requested == fingerprint
        response = send_from_directory(_STATIC, name, max_age=_ONE_YEAR_S if is_current else None)
        response.cache_control.immutable = is_current
        return _compressed(response) if response.status_code == 200 else response

    return page


@cache
def _read_static() -> tuple[str, list[str]]:
    """Returns a hash of the names and contents of all static files, and the first modules.

    The modules import each other by relative paths, so all files share one fingerprint.
    """
    files = sorted(file for file in _STATIC.rglob("*") if file.is_file())
    digest = blake2b(digest_size=6)
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
    scripts = [file.relative_to(_STATIC).as_posix() for file in files if file.suffix == ".js"]
    modules = [
        script
        for script in scripts
        if script not in _CLASSIC_SCRIPTS and not script.startswith(_LAZY)
    ]
    return digest.hexdigest(), modules


def _compressed(response: Response) -> Response:
    """Compresses the response with gzip if the client accepts that.

    Only the page and its files are compressed: compressing a stream would delay its events.
    """
    response.vary.add("Accept-Encoding")
    if current_request().accept_encodings.quality("gzip") > 0:
        etag, _ = response.get_etag()
        response.direct_passthrough = False
        response.set_data(gzip.compress(response.get_data()))
        response.content_encoding = "gzip"
        if etag:
            response.set_etag(etag, weak=True)
    return response
