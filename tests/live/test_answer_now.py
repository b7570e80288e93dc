"""The thinking of running streams is ended by whatever worker gets the request."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest

from gateway.core.continuation import closing_sentence
from gateway.mock.frames import split_tokens
from gateway.mock.replies import long_reply
from tests.kinds import KINDS, write_settings
from tests.live.upstream import (
    CHUNKED,
    DONE,
    FINISH,
    RESET,
    Upstream,
    as_json,
    chunked,
    frame,
)
from tests.live.wire import Transcript, ask, in_parallel, parse_stream, request_body, wait_until
from tests.machine import allowed
from tests.programs import DRIVERS, Program, start_gateway, start_mock

THOUGHT = [" I", " count", ".", " Two", " and", " two"]
ANSWER = ["It", " is", " four", "."]
CALLS = 12
THOUGHTS_OF_MOCK, ANSWER_OF_MOCK = long_reply("hi")
READS_LATE = 6
"""Tokens that may arrive with the one that is too many, at SLOW_SPEED."""


def answer_now(url: str, id: str) -> int:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request("POST", f"/v1/streams/{id}/answer", headers={"Connection": "close"})
        return connection.getresponse().status
    finally:
        connection.close()


def settings(tmp_path: Path, url: str, kind: str) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(f'[[upstreams]]\nname = "a"\nurl = "{url}"\nkind = "{kind}"\n')
    return path


@pytest.mark.parametrize("driver", DRIVERS)
def test_any_worker_ends_the_thinking_while_nothing_arrives(tmp_path: Path, driver: str) -> None:
    never = threading.Event()
    thinks = chunked([frame({"reasoning_content": text}) for text in THOUGHT], end=False)
    answers = chunked([*[frame({"content": text}) for text in ANSWER], FINISH, DONE])
    options = {"format": "events", "reasoning": "raw"}
    with Upstream() as upstream:
        config = settings(tmp_path, upstream.url, "vllm")
        first = (CHUNKED, *thinks, never)
        second = (CHUNKED, *answers)
        with start_gateway(
            upstream.url, gateway_config=config, relay_driver=driver, web_concurrency=3
        ) as gateway:
            for call in range(CALLS):
                model = f"m{call}"
                upstream.set_scripts(model, first, second)
                with ask(gateway.url, request_body(model, gateway=options)) as stream:
                    said = ""
                    for event in stream:
                        if event.event == "reasoning_delta":
                            said += event.json["text"]
                        if said == "".join(THOUGHT):
                            assert answer_now(gateway.url, stream.headers["X-Stream-Id"]) == 202
                            said = ""
                    result = parse_stream("events", stream.frames, "raw")
                assert result.trace == "".join(THOUGHT) + closing_sentence(model)
                assert result.answer == "".join(ANSWER)
            assert answer_now(gateway.url, stream.headers["X-Stream-Id"]) == 404


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_upstream_that_takes_over_is_asked_to_end_the_thinking(
    tmp_path: Path, driver: str
) -> None:
    """The first upstream breaks off while it is asked, and refuses when the second one thinks."""
    breaks, refuses, ends = threading.Event(), threading.Event(), threading.Event()
    begins = chunked([frame({"reasoning_content": "".join(THOUGHT)})], end=False)
    goes_on = chunked([frame({"reasoning_content": " make"})], end=False)
    answers = chunked([*[frame({"content": text}) for text in ANSWER], FINISH, DONE])
    refusal, success = (as_json("200 OK", {"success": done}) for done in (False, True))
    config = tmp_path / "gateway.toml"
    with Upstream() as first, Upstream() as second:
        config.write_text(
            f'[[upstreams]]\nname = "a"\nurl = "{first.url}"\nkind = "llama.cpp"\n'
            f'[[upstreams]]\nname = "b"\nurl = "{second.url}"\nkind = "llama.cpp"\npriority = 1\n'
        )
        first.set_scripts("m", (CHUNKED, *begins, breaks, RESET), (refuses, refusal))
        second.set_scripts("m", (CHUNKED, *goes_on, ends, *answers), (success,))
        settings = {"gateway_config": config, "relay_driver": driver, "continue_broken": True}
        options = {"format": "events", "reasoning": "raw"}
        with (
            start_gateway(first.url, **settings) as gateway,
            ask(gateway.url, request_body("m", gateway=options)) as stream,
        ):
            for event in stream:
                if event.event != "reasoning_delta":
                    continue
                if event.json["text"] == "".join(THOUGHT):
                    assert answer_now(gateway.url, stream.headers["X-Stream-Id"]) == 202
                    wait_until(lambda: first.requests_for("m") == 2)
                    breaks.set()
                else:
                    refuses.set()
                    wait_until(lambda: second.requests_for("m") == 2)
                    ends.set()
            result = parse_stream("events", stream.frames, "raw")
        assert second.requests[-1].body["action"] == "reasoning_end"
        assert (result.trace, result.answer) == ("".join(THOUGHT) + " make", "".join(ANSWER))


# --- Against the mock, as a server of each kind ---------------------------------------------------

TURNS = 60
THREADS = 24
SPEED = 1500
"""Tokens a second, so that the model thinks for a fifth of a second."""
SLOW_SPEED = 300
"""Tokens a second, so that few arrive while a busy machine does something else."""


@contextmanager
def gateway_to_kinds(folder: Path, speed: int) -> Iterator[Program]:
    """A gateway in front of a mock of each kind of server."""
    with start_mock() as mock:
        config = write_settings(folder / "gateway.toml", mock.url, speed)
        with start_gateway(mock.url, gateway_config=config, web_concurrency=2) as gateway:
            yield gateway


@pytest.fixture(scope="module")
def kinds_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with gateway_to_kinds(tmp_path_factory.mktemp("kinds"), SPEED) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def slow_kinds_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with gateway_to_kinds(tmp_path_factory.mktemp("slow kinds"), SLOW_SPEED) as gateway:
        yield gateway


def turn(
    url: str, model: str, ends_after: int | None, **options: object
) -> tuple[Transcript, str | None]:
    """One turn, and why its thinking was ended.

    ends_after: the client wants the answer after so many deltas of the reasoning.
    """
    gateway_options = {"format": "events", "reasoning": "raw", **options}
    with ask(url, request_body(model, gateway=gateway_options)) as stream:
        deltas = 0
        for event in stream:
            if event.event == "reasoning_delta":
                deltas += 1
                if deltas == ends_after:
                    status = answer_now(url, stream.headers["X-Stream-Id"])
                    assert status in (202, 404, 409), status
        assert stream.frames[-1].event in ("done", "failed")
        said = parse_stream("events", stream.frames, "raw")
    return said, stream.frames[-1].json.get("thinking_ended")


def check(said: Transcript) -> None:
    """Nothing is lost, and nothing doubled."""
    shown = said.trace.removesuffix(closing_sentence("thinker"))
    assert THOUGHTS_OF_MOCK.startswith(shown), said.trace
    assert said.answer == ANSWER_OF_MOCK, said.answer
    assert said.error is None


def test_turns_that_are_ended_at_random_lose_and_double_nothing(
    kinds_gateway: Program,
) -> None:
    random = Random(21)
    plans = [(random.choice(KINDS), random.randrange(1, 400)) for _ in range(TURNS)]

    def run(plan: tuple[str, int]) -> str | None:
        kind, ends_after = plan
        said, ended = turn(kinds_gateway.url, f"{kind}/thinker", ends_after)
        check(said)
        return ended

    with ThreadPoolExecutor(THREADS) as threads:
        ended = list(threads.map(run, plans))
    assert set(ended) == {None, "request"}
    assert ended.count("request") > TURNS // 20


THINKERS = (
    "thinker",
    "thinker-ignores-budget",
    "thinker-refuses-budget",
    "thinker-refuses-prefill",
    "thinker-repeats-marker",
    "thinker-mislabels",
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_budget_holds_whatever_the_server_makes_of_it(
    slow_kinds_gateway: Program, kind: str
) -> None:
    budget = 100

    def check_budget(model: str) -> None:
        said, _ = turn(slow_kinds_gateway.url, f"{kind}/{model}", None, thinking_budget=budget)
        check(said)
        thought = said.trace.removesuffix(closing_sentence("thinker"))
        tokens = len(split_tokens(thought))
        assert budget * 0.9 <= tokens <= budget + 64 + allowed(READS_LATE), model

    in_parallel(check_budget, THINKERS)


@pytest.mark.parametrize("kind", ["vllm", "sglang", "ollama", "deepseek"])
def test_a_second_answer_that_breaks_off_is_a_failure(kinds_gateway: Program, kind: str) -> None:
    said, _ = turn(kinds_gateway.url, f"{kind}/thinker-breaks", 20)
    assert said.error is not None
    assert said.error["code"] == "upstream_broke_off"
    assert ANSWER_OF_MOCK.startswith(said.answer)
