"""An ended turn is freed by reference counts alone: the collector would pause all other turns."""

import gc
from collections.abc import Callable, Iterator
from itertools import product

import gevent
import pytest
import responses
from flask.testing import FlaskClient

from tests.core.scripted import DONE, FINISH, contents
from tests.web.conftest import answers

TURNS = 5
TRIES = 5
LINGER_S = 1.5
"""A pump whose body has ended is kept this long."""


@pytest.fixture
def collector() -> Iterator[None]:
    """No collection but those that the test makes, after what other tests started has ended."""
    gevent.sleep(LINGER_S)
    gc.disable()
    yield
    gc.enable()


def found_by_collector(work: Callable[[], None]) -> list[type]:
    """Returns the gateway's types among what only the collector frees of the work."""
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        work()
        gc.collect()
        return [kind for o in gc.garbage if (kind := type(o)).__module__.startswith("gateway")]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


def test_an_ended_turn_leaves_nothing_for_the_garbage_collector(
    make_client: Callable[..., FlaskClient],
    upstream: responses.RequestsMock,
    collector: None,
) -> None:
    client = make_client(max_kept_bytes=5000)  # so that streams are forgotten as well
    answers(upstream, *contents("<think>Hm. Well.\n", "</think>", "Four."), FINISH, DONE)
    messages = [{"role": "user", "content": "What is 2+2?"}]

    def run_turns() -> None:
        for format, keep in product(("phased", "openai", "events"), (False, True)):
            body = {"stream": True, "messages": messages, "gateway": {"keep": keep}}
            for _ in range(TURNS):
                with client.post(f"/{format}/v1/chat/completions", json=body) as response:
                    assert b"Four." in response.get_data()
        gevent.sleep(LINGER_S)  # once for all: each turn's body ends after this time

    for _ in range(TRIES):
        left = found_by_collector(run_turns)
        # A gateway of an earlier test may end just now: its sweeper runs while streams are kept.
        if not any(kind.__name__ == "_App" for kind in left):
            break
    assert left == []
