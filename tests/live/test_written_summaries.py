"""Summaries written by a model: shown when they are there, and never in the way."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.live.wire import Transcript, ask, get_json, parse_stream, request_body, wait_until
from tests.programs import Program, start_gateway, start_mock

HEADING = "**Working through it** "
THINKING = "long-thinking@tps=400"


@pytest.fixture(scope="module")
def summarizer() -> Iterator[Program]:
    """The summary model's own server, whose counts tell what it was asked."""
    with start_mock() as mock:
        yield mock


@pytest.fixture(scope="module")
def make_gateway(mock_url: str, summarizer: Program) -> Iterator[Callable[..., str]]:
    """A gateway whose summary model is the mock's model of this name."""
    with ExitStack() as running:

        def make(model: str, **settings: Any) -> str:
            gateway = start_gateway(
                mock_url,
                summarizer="model",
                summarizer_url=summarizer.url,
                summarizer_model=model,
                **settings,
            )
            return running.enter_context(gateway).url

        yield make


def think(url: str, format: str = "events", **options: Any) -> Transcript:
    """What a model that thinks for a second is told about."""
    body = request_body(THINKING, "Plan a trip", gateway={"format": format, **options})
    with ask(url, body) as stream:
        return parse_stream(format, stream.read_all(), "summary")


@pytest.mark.parametrize("format", ["events", "phased", "openai"])
def test_the_model_s_account_is_shown_live(make_gateway: Callable[..., str], format: str) -> None:
    said = think(make_gateway("summarizer@tps=0"), format)
    assert said.error is None
    assert HEADING in said.live + said.summary


def test_its_tokens_are_counted_apart(make_gateway: Callable[..., str]) -> None:
    url = make_gateway("summarizer@tps=0")
    with ask(url, request_body(THINKING, "Plan", gateway={"format": "events"})) as stream:
        done = json.loads(stream.read_all()[-1].data)
    assert done["usage"]["summarizer"]["completion_tokens"] > 0
    assert done["usage"]["completion_tokens"] > done["usage"]["summarizer"]["completion_tokens"]


@pytest.mark.parametrize(
    "model",
    ["summarizer@delay=9", "error-500", "cut", "html", "summarizer-invents@tps=0"],
    ids=["slow", "fails", "breaks off", "is no model", "invents a number"],
)
def test_when_the_model_is_of_no_use_the_embedded_lines_are_shown_in_time(
    make_gateway: Callable[..., str], model: str
) -> None:
    url = make_gateway(model, summarizer_timeout_s=0.3)
    expected = think(url, summarizer="extractive")
    began = time.monotonic()
    said = think(url)
    assert time.monotonic() - began < 6
    assert said.error is None
    assert said.live == expected.live
    assert said.answer == expected.answer
    assert "8675309" not in said.live + said.summary


def test_a_model_that_fails_is_left_alone_for_a_while(
    make_gateway: Callable[..., str], summarizer: Program
) -> None:
    url = make_gateway("error-500", breaker_failures=2)
    before = get_json(f"{summarizer.url}/stats")["requests"]
    for _ in range(4):
        assert think(url).error is None
    assert get_json(f"{summarizer.url}/stats")["requests"] - before == 2


def test_when_the_client_leaves_the_summary_model_is_let_go_too(
    make_gateway: Callable[..., str], summarizer: Program
) -> None:
    url = make_gateway("summarizer@delay=30", summarizer_timeout_s=60)
    before = get_json(f"{summarizer.url}/stats")
    body = request_body("long-thinking@tps=80", "Plan", gateway={"format": "events"})
    with ask(url, body) as stream:
        stream.read_until(lambda frame: frame.event == "prompt_summary")
        wait_until(
            lambda: get_json(f"{summarizer.url}/stats")["open_streams"] > before["open_streams"], 15
        )
    wait_until(
        lambda: get_json(f"{summarizer.url}/stats")["open_streams"] == before["open_streams"], 15
    )


def test_nobody_sums_up_when_it_is_off(make_gateway: Callable[..., str]) -> None:
    said = think(make_gateway("summarizer@tps=0"), summarizer="off")
    assert (said.live, said.summary) == ("", "")
    assert said.answer != ""
