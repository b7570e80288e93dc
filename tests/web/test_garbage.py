"""An ended turn is freed by reference counts alone: the collector would pause all other turns."""

import gc
from collections.abc import Iterator

import gevent
import pytest
import responses
from flask.testing import FlaskClient

from tests.core.scripted import DONE, FINISH, contents
from tests.web.conftest import answers

TURNS = 5
LINGER_S = 1.5
"""A pump whose body has ended is kept this long."""


@pytest.fixture
def collector() -> Iterator[None]:
    """Keeps what the collector finds, after everything that other tests started has ended."""
    gevent.sleep(LINGER_S)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


@pytest.mark.parametrize("format", ["phased", "openai", "events"])
def test_an_ended_turn_leaves_nothing_for_the_garbage_collector(
    client: FlaskClient, upstream: responses.RequestsMock, collector: None, format: str
) -> None:
    answers(upstream, *contents("<think>Hm. Well.\n", "</think>", "Four."), FINISH, DONE)
    body = {"stream": True, "messages": [{"role": "user", "content": "What is 2+2?"}]}
    for _ in range(TURNS):
        with client.post(f"/{format}/v1/chat/completions", json=body) as response:
            assert b"Four." in response.get_data()
    gevent.sleep(LINGER_S)
    gc.collect()
    left = [kind for o in gc.garbage if (kind := type(o)).__module__.startswith("gateway")]
    assert left == []
