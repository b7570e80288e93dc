"""Gateways for the official SDKs, in front of the mock or of an upstream that sends fixed bytes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, chunked, refusal, say
from tests.programs import start_gateway
from tests.sdk.expected import KEY


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """An upstream that counts its requests."""
    limited = {"message": "Slow down.", "type": "requests", "param": None, "code": "rate_limit"}
    busy = (refusal(429, limited, Retry_After="1"),)
    answer = (CHUNKED, *chunked([*say("<think>A thought.</think>", "Welcome."), FINISH, DONE]))
    with Upstream() as made:
        made.set_script("always-busy", *busy)
        made.set_scripts("busy-once", busy, answer)
        made.set_script(
            "breaks-off", CHUNKED, *chunked(say("<think>A thought.</think>Wel"), end=False)
        )
        yield made


@pytest.fixture(scope="session")
def counted_url(upstream: Upstream) -> Iterator[str]:
    """The address of a gateway in front of that upstream."""
    with start_gateway(upstream.url, breaker_failures=10_000) as gateway:
        yield gateway.url


@pytest.fixture(scope="session")
def connect() -> Iterator[Callable[..., Any]]:
    """Makes a client of an SDK; its connections are closed in the end."""
    with ExitStack() as stack:
        yield lambda sdk, url, retries=0, key="unused": stack.enter_context(
            sdk(base_url=url, api_key=key, max_retries=retries)
        )


@pytest.fixture
def close_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Closes the HTTP clients of a program that runs in this process and leaves them open.

    The garbage collector may find a socket before the client that would close it, and then warns in
    some later test.
    """
    made: list[httpx.Client] = []
    init = httpx.Client.__init__

    def keep(client: httpx.Client, *args: Any, **options: Any) -> None:
        init(client, *args, **options)
        made.append(client)

    monkeypatch.setattr(httpx.Client, "__init__", keep)
    yield
    for client in made:
        client.close()


@pytest.fixture(scope="session")
def always_url(mock_url: str) -> Iterator[str]:
    """The address of a gateway that always sends summaries, and heartbeats in every pause."""
    settings = {"responses_summary": "always", "messages_summary": "always", "heartbeat_s": 0.1}
    with start_gateway(mock_url, breaker_failures=10_000, **settings) as gateway:
        yield gateway.url


@pytest.fixture(scope="session")
def keyed_url(mock_url: str) -> Iterator[str]:
    """The address of a gateway with an API key."""
    with start_gateway(mock_url, api_keys=KEY) as gateway:
        yield gateway.url


@pytest.fixture
def weather() -> dict[str, Any]:
    """The JSON schema of a tool's arguments; the mock fills it with Paris and celsius."""
    unit = {"type": "string", "enum": ["celsius", "fahrenheit"]}
    return {
        "type": "object",
        "properties": {"location": {"type": "string"}, "unit": unit},
        "required": ["location", "unit"],
        "additionalProperties": False,
    }
