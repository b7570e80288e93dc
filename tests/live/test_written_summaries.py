"""Summaries written by a model: shown if they arrive in time, and never a delay."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.live.wire import (
    Transcript,
    ask,
    get_json,
    in_parallel,
    parse_stream,
    request_body,
    wait_until,
)
from tests.machine import within
from tests.programs import Program, start_gateway, start_mock

HEADING = "**Working through it** "
THINKING = "long-thinking@tps=150"
"""Four seconds of thinking: time for one call, also on a busy machine, where a second was none."""


@pytest.fixture(scope="module")
def summarizer() -> Iterator[Program]:
    """The summary model's own server; the tests check its counts."""
    with start_mock() as mock:
        yield mock


@pytest.fixture(scope="module")
def make_gateway(mock_url: str, summarizer: Program) -> Iterator[Callable[..., str]]:
    """Gateways whose summary model is the mock's model of this name; the same for the same."""
    with ExitStack() as running:

        @cache
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
    """Returns the transcript of a model that thinks for four seconds."""
    body = request_body(THINKING, "hi", gateway={"format": format, **options})
    with ask(url, body) as stream:
        return parse_stream(format, stream.read_all(), "summary")


def test_the_written_summary_is_shown_live(make_gateway: Callable[..., str]) -> None:
    url = make_gateway("summarizer@tps=0")

    def check(format: str) -> None:
        result = think(url, format)
        assert result.error is None
        assert HEADING in result.live + result.summary

    in_parallel(check, ["events", "phased", "openai"])


def test_tokens_of_the_summary_model_are_counted_separately(
    make_gateway: Callable[..., str],
) -> None:
    url = make_gateway("summarizer@tps=0")
    with ask(url, request_body(THINKING, "hi", gateway={"format": "events"})) as stream:
        done = json.loads(stream.read_all()[-1].data)
    assert done["usage"]["summarizer"]["completion_tokens"] > 0
    assert done["usage"]["completion_tokens"] > done["usage"]["summarizer"]["completion_tokens"]


@pytest.fixture(scope="module")
def extractive(make_gateway: Callable[..., str]) -> Transcript:
    """The same turn without a summary model."""
    return think(make_gateway("summarizer@tps=0"), summarizer="extractive")


@pytest.mark.parametrize(
    "model",
    ["summarizer@delay=9", "error-500", "cut", "html", "summarizer-invents@tps=0"],
    ids=["slow", "fails", "breaks off", "is a web page", "invents a number"],
)
def test_the_extractive_summary_replaces_a_useless_one_in_time(
    make_gateway: Callable[..., str], extractive: Transcript, model: str
) -> None:
    url = make_gateway(model, summarizer_timeout_s=0.3)
    with within(6):
        result = think(url)
    assert result.error is None
    assert result.live == extractive.live
    assert result.answer == extractive.answer
    assert "8675309" not in result.live + result.summary


def test_a_failing_summary_model_opens_its_breaker(
    make_gateway: Callable[..., str], summarizer: Program
) -> None:
    url = make_gateway("error-500", breaker_failures=2)
    before = get_json(f"{summarizer.url}/stats")["requests"]
    for _ in range(4):
        assert think(url).error is None
    assert get_json(f"{summarizer.url}/stats")["requests"] - before == 2


def test_a_client_that_leaves_ends_the_summary_request(
    make_gateway: Callable[..., str], summarizer: Program
) -> None:
    url = make_gateway("summarizer@delay=30", summarizer_timeout_s=60)
    before = get_json(f"{summarizer.url}/stats")
    body = request_body("long-thinking@tps=200", "hi", gateway={"format": "events"})
    with ask(url, body) as stream:
        stream.read_until(lambda frame: frame.event == "prompt_summary")
        wait_until(
            lambda: get_json(f"{summarizer.url}/stats")["open_streams"] > before["open_streams"]
        )
    wait_until(
        lambda: get_json(f"{summarizer.url}/stats")["open_streams"] == before["open_streams"]
    )


def test_there_is_no_summary_when_it_is_off(make_gateway: Callable[..., str]) -> None:
    result = think(make_gateway("summarizer@tps=0"), summarizer="off")
    assert (result.live, result.summary) == ("", "")
    assert result.answer != ""


# --- The turn's own model -------------------------------------------------------------------------


@pytest.fixture
def upstream() -> Iterator[Program]:
    """The turn's own server; the tests check its counts."""
    with start_mock() as mock:
        yield mock


def written_usage(url: str, model: str) -> dict[str, Any] | None:
    """What the calls for one summary took, once the turn is done without an error."""
    with ask(url, request_body(model, "hi", gateway={"format": "events"})) as stream:
        last = stream.read_all()[-1]
    assert last.event == "done"
    usage: dict[str, Any] | None = json.loads(last.data)["usage"].get("summarizer")
    return usage


def warnings(gateway: Program) -> list[str]:
    logged = [json.loads(line) for line in gateway.output().splitlines() if line.startswith("{")]
    return [line["why"] for line in logged if line["event"] == "summaries stay extractive"]


def test_one_setting_has_the_turns_own_model_write(upstream: Program) -> None:
    with start_gateway(upstream.url, summarizer="model") as gateway:
        result = think(gateway.url)
        assert HEADING in result.live
        before = get_json(f"{upstream.url}/stats")["requests"]
        usage = written_usage(gateway.url, THINKING)
        assert usage is not None
        assert usage["completion_tokens"] > 0
        assert get_json(f"{upstream.url}/stats")["requests"] == before + 2
        assert warnings(gateway) == []


def test_a_full_upstream_is_not_asked(upstream: Program, tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(f'[[upstreams]]\nname = "a"\nurl = "{upstream.url}"\nmax_streams = 1\n')
    with start_gateway(upstream.url, gateway_config=path, summarizer="model") as gateway:
        assert written_usage(gateway.url, THINKING) is None
        assert get_json(f"{upstream.url}/stats")["requests"] == 1


def test_a_model_that_thinks_all_the_same_is_left_alone(upstream: Program, tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    # It is no such server, and does not know the member with which one is told not to think.
    path.write_text(f'[[upstreams]]\nname = "a"\nurl = "{upstream.url}"\nkind = "ollama"\n')
    with start_gateway(upstream.url, gateway_config=path, summarizer="model") as gateway:
        for _ in range(2):
            result = think(gateway.url)
            assert HEADING not in result.live + result.summary
        assert warnings(gateway) == ["the model thinks although it is told not to"]
