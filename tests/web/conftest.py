"""Flask's test client in front of a scripted upstream: no network, no sleep."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
import responses
import structlog
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from gateway import Config, create_app

UPSTREAM = "http://upstream.test/v1"
COMPLETIONS = f"{UPSTREAM}/chat/completions"


@pytest.fixture(scope="session", autouse=True)
def no_url_builders() -> Iterator[None]:
    """werkzeug compiles two functions for each route, which build its URL from parts.

    The gateway never asks for that, and these functions take most of the time to make an app, of
    which each test here has its own.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Rule, "_compile_builder", lambda *_: lambda *_, **__: None, raising=False)
        yield


@pytest.fixture
def upstream() -> Iterator[responses.RequestsMock]:
    """What the upstream answers; a test adds to it."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def logged() -> list[dict[str, Any]]:
    """The log's lines, as dicts."""
    return []


@pytest.fixture
def make_client(
    upstream: responses.RequestsMock, logged: list[dict[str, Any]]
) -> Iterator[Callable[..., FlaskClient]]:
    """A client of a gateway with these settings."""

    def keep(_logger: Any, level: str, line: dict[str, Any]) -> dict[str, Any]:
        logged.append({**line, "level": level})
        raise structlog.DropEvent

    def make(clock: Callable[[], float] = time.monotonic, **settings: Any) -> FlaskClient:
        # urllib3 fills its pool of connections beforehand: a small one takes less time.
        config = Config(upstream_url=UPSTREAM, **{"max_streams": 10, **settings})
        log = structlog.wrap_logger(None, processors=[keep])
        return create_app(config, log=log, clock=clock).test_client()

    yield make
    gevent.sleep(0)  # what runs in the background asks this test's upstream, not the next one's


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    return make_client()


def sse(*frames: object) -> bytes:
    """A stream of these frames; a str goes in as it is."""
    return b"".join(
        b"data: " + (f if isinstance(f, str) else json.dumps(f)).encode() + b"\n\n" for f in frames
    )


def answers(upstream: responses.RequestsMock, *frames: object, **options: Any) -> None:
    """The upstream answers with a stream of these frames."""
    upstream.post(COMPLETIONS, body=sse(*frames), content_type="text/event-stream", **options)


def sent(upstream: responses.RequestsMock) -> dict[str, Any]:
    """The request that the upstream got last, without what every one has."""
    body: dict[str, Any] = json.loads(upstream.calls[-1].request.body)
    return {k: v for k, v in body.items() if k not in ("stream", "stream_options", "model")}


def typed_events(response: Any) -> list[dict[str, Any]]:
    """The data of each event of a stream; an event's name must be its type."""
    found = []
    for block in response.text.split("\n\n")[:-1]:
        name, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found
