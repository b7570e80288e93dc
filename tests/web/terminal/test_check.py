"""`--check`: the measurement and the requirements."""

import re
from itertools import count
from types import SimpleNamespace

import pytest
import responses
from click.testing import Result

from gateway.terminal import timeline
from gateway.terminal.check import Measurement
from tests.web.terminal.fake_gateway import assert_fails, run_client, sent_body, serve
from tests.web.terminal.transcripts import data, plain_stream

GOOD_TEXTS = ("Streaming APIs send parts. ",) * 60


def run_check(monkeypatch: pytest.MonkeyPatch, step_s: float) -> Result:
    """Runs --check with a clock that advances by `step_s` each time it is read."""
    ticks = count()
    monkeypatch.setattr(timeline, "time", SimpleNamespace(monotonic=lambda: next(ticks) * step_s))
    return run_client("--check")


def test_a_good_answer_passes_the_check(
    gateway: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(gateway, plain_stream(texts=GOOD_TEXTS))
    result = run_check(monkeypatch, 0.001)
    assert sent_body(gateway) == {"prompt": "Explain streaming APIs", "stream": True}
    assert (result.exit_code, result.stderr) == (0, "")
    shown = re.sub(r"0\.0\d\d s", "N s", re.sub(r"6,\d{3}\.\d", "N", result.stdout))
    assert shown.splitlines() == [
        "chunks               60",
        "characters           1,620",
        "time to first byte   N s",
        "time to first chunk  N s",
        "total time           N s",
        "tokens a second      N (characters / 4, over the total time)",
        "",
        "ok    at least 1,378 characters: 1,620",
        "ok    at least 6 chunks: 60",
        "ok    first byte under 2.4 s: N s",
        "ok    more than 29 tokens a second: N",
        "ok    ends with [DONE]: yes",
        "ok    the answer refers to the prompt: streaming, apis",
    ]


@pytest.mark.parametrize(
    ("stream", "step_s", "line"),
    [
        (plain_stream(texts=GOOD_TEXTS[:50]), 0.001, "at least 1,378 characters: 1,350"),
        (plain_stream(texts=("".join(GOOD_TEXTS),)), 0.001, "at least 6 chunks: 1"),
        (plain_stream(texts=(*GOOD_TEXTS, "x " * 90_000)), 2.4, "first byte under 2.4 s: 2.400 s"),
        (plain_stream(texts=GOOD_TEXTS), 1.0, "more than 29 tokens a second: 6.5"),
        (
            plain_stream(texts=GOOD_TEXTS).replace(data("[DONE]"), b""),
            0.001,
            "ends with [DONE]: no",
        ),
        (
            plain_stream(texts=("I can explain that. ",) * 80),
            0.001,
            "the answer refers to the prompt: no",
        ),
    ],
)
def test_the_check_names_the_requirement_that_is_not_met(
    gateway: responses.RequestsMock,
    monkeypatch: pytest.MonkeyPatch,
    stream: bytes,
    step_s: float,
    line: str,
) -> None:
    serve(gateway, stream)
    result = run_check(monkeypatch, step_s)
    assert_fails(result, "1 of 6 requirements are not met")
    failed = [row for row in result.stdout.splitlines() if row.startswith("FAIL")]
    assert failed == [f"FAIL  {line}"]


def test_an_empty_answer_fails_every_requirement(gateway: responses.RequestsMock) -> None:
    serve(gateway, b"")
    result = run_client("--check", "--prompt", "hi there")
    assert_fails(result, "6 of 6 requirements are not met")


def test_a_failed_turn_fails_the_check_with_its_error(gateway: responses.RequestsMock) -> None:
    serve(gateway, data({"error": "Server error: unforeseen", "code": 500}))
    assert_fails(run_client("--check"), "the turn failed: Server error: unforeseen")


def test_text_after_done_fails_the_check(gateway: responses.RequestsMock) -> None:
    late = data({"choices": [{"delta": {"content": "."}}]})
    serve(gateway, plain_stream(texts=GOOD_TEXTS) + late)
    assert "FAIL  ends with [DONE]: no" in run_client("--check").stdout


def test_four_characters_count_as_a_token() -> None:
    assert Measurement("p", "x" * 400, 1, 0.1, 0.1, 2.0, True).tokens_per_s == 50
