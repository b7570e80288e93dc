"""Feeds recorded answers of model servers to a turn, cut in many ways, and compares the results.

    python -m benchmarks.replay FOLDER [--model NAME]

A recording is a file with the bytes of an answer's body: `name.sse` for a stream, `name.json` for
an answer in one piece. Each is read whole, one line at a time, and broken off after each of its
lines. Whole and by lines, the result must be the same, and an answer that is broken off must not
pass as complete. If there is a file `name.expected` with a JSON object, its members must match too:

    {"model": "m", "reasoning": "…", "answer": "…", "calls": [["name", "arguments"]],
     "finish_reason": "stop", "error": null}

The exit status is 1 if something differs.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gateway.config import Config
from gateway.core.events import Done, Event, Failed, OutputDelta, ReasoningDelta, ToolCallDelta
from gateway.core.families import Families
from gateway.core.reading import Reading
from gateway.core.summarizers import ExtractiveSummarizer
from gateway.core.turn import Turn
from gateway.upstreams.chat_reader import ChatReader

SUFFIXES = (".sse", ".json")


def read(batches: Sequence[Sequence[bytes]], model: str) -> dict[str, Any]:
    """Returns the result of an answer whose lines arrive in these batches."""
    families = Families(Config())
    turn = Turn(
        started=0,
        prompt_summary="",
        reasoning="raw",
        source=lambda upstream, name: Reading(ChatReader(), families.reading(upstream, name)),
        summarizer=ExtractiveSummarizer("", 60),
    )
    turn.call("upstream", model)
    events = turn.start(0)
    for batch in batches:
        events += turn.feed(batch, 1)
    events += turn.close(2)
    if turn.fault is not None:
        events += turn.fail(turn.fault, 2)
    return _summary(events)


def _summary(events: Sequence[Event]) -> dict[str, Any]:
    calls: dict[int, list[str]] = {}
    for event in events:
        if isinstance(event, ToolCallDelta):
            call = calls.setdefault(event.call["index"], ["", ""])
            function = event.call.get("function") or {}
            call[0] += function.get("name", "")
            call[1] += function.get("arguments", "")
    end = events[-1]
    return {
        "reasoning": "".join(e.text for e in events if isinstance(e, ReasoningDelta)),
        "answer": "".join(e.text for e in events if isinstance(e, OutputDelta)),
        "calls": list(calls.values()),
        "finish_reason": end.finish_reason if isinstance(end, Done) else None,
        "error": end.error.message if isinstance(end, Failed) else None,
    }


def problems(path: Path, model: str | None = None) -> list[str]:
    """Returns what is wrong with the result of one recording."""
    expected = _expected(path)
    model = model or expected.pop("model", "")
    lines = path.read_bytes().split(b"\n")
    whole = read([lines], model)
    found = [
        f"{name}: {whole.get(name)!r} instead of {value!r}"
        for name, value in expected.items()
        if whole.get(name) != value
    ]
    if (apart := read([[line] for line in lines], model)) != whole:
        found.append(f"one line at a time it is {apart}")
    if path.suffix == ".sse":
        found += _broken_off(lines, model)
    return found


def _broken_off(lines: list[bytes], model: str) -> Iterator[str]:
    for end in range(len(lines)):
        before = lines[:end]
        if any(b"finish_reason" in line or b"[DONE]" in line for line in before):
            return
        if read([before], model)["error"] is None:
            yield f"broken off after line {end} it passes as complete"


def _expected(path: Path) -> dict[str, Any]:
    beside = path.with_suffix(".expected")
    return dict(json.loads(beside.read_text())) if beside.exists() else {}


def recordings(folder: Path) -> list[Path]:
    """The recordings in a folder."""
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", help="the model's name, which selects its family")
    options = parser.parse_args()
    wrong = 0
    for path in recordings(options.folder):
        found = problems(path, options.model)
        wrong += bool(found)
        print(path.name, "ok" if not found else "\n  ".join(["", *found]))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
