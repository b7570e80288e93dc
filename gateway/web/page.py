"""The demo page at `/`, and its scripts and styles."""

import gzip
from collections.abc import Sequence
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
"""The page needs nothing from elsewhere, and no inline code."""

_PLAIN_SCRIPTS = {"theme.js"}
_STATIC = Path(__file__).parent.parent / "static"
_FOR_GOOD_S = 365 * 24 * 3600


def make_blueprint(apis: Sequence[Api], version: str, summarizers: Sequence[str]) -> Blueprint:
    """The page, and its files.

    summarizers: those that a request may name, none if the operator chooses.
    """
    page = Blueprint("page", __name__)
    files = sorted(file for file in _STATIC.rglob("*") if file.is_file())
    edition = _edition(files)
    scripts = [file.relative_to(_STATIC).as_posix() for file in files if file.suffix == ".js"]
    modules = [script for script in scripts if script not in _PLAIN_SCRIPTS]

    @page.get("/")
    def index() -> Response:
        response = make_response(
            render_template(
                "index.html",
                version=version,
                static=f"static/{edition}",
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
        return response

    @page.get("/static/<wanted>/<path:name>")
    def static(wanted: str, name: str) -> Response:
        """A file of the page, which a browser keeps for good under the address of its edition.

        Under another one, which a page from before a restart may ask for, it is the file of now.
        """
        kept = wanted == edition
        response = send_from_directory(_STATIC, name, max_age=_FOR_GOOD_S if kept else None)
        response.cache_control.immutable = kept
        return _compressed(response) if response.status_code == 200 else response

    return page


def _edition(files: Sequence[Path]) -> str:
    """A name for these files with this content: modules import each other by relative paths, so
    it stands in the path of all."""
    digest = blake2b(digest_size=6)
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _compressed(response: Response) -> Response:
    """For a caller that takes it. Nothing else is sent compressed: least of all a stream."""
    response.vary.add("Accept-Encoding")
    if current_request().accept_encodings.quality("gzip") > 0:
        etag, _ = response.get_etag()
        response.direct_passthrough = False
        response.set_data(gzip.compress(response.get_data()))
        response.content_encoding = "gzip"
        response.set_etag(etag or "", weak=True)
    return response
