"""Upstreams' streams, written out, and turns to feed them to."""

import json
from typing import Any

from gateway.config import Config, ReasoningMode
from gateway.core.events import (
    Event,
    OutputDelta,
    ReasoningDelta,
    SummaryDelta,
)
from gateway.core.families import Families
from gateway.core.reading import Reading
from gateway.core.summarizers import ExtractiveSummarizer, Summarizer
from gateway.core.turn import Turn
from gateway.upstreams.chat_reader import ChatReader

FINISH = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": {"total_tokens": 3}}
DONE = "[DONE]"


def delta(**fields: Any) -> dict[str, Any]:
    """A chunk with one delta."""
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def finish(reason: str) -> dict[str, Any]:
    """The chunk with the finish reason."""
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}


def contents(*texts: str) -> list[dict[str, Any]]:
    """A chunk for each piece of content."""
    return [delta(content=text) for text in texts]


def lines(*frames: object) -> list[bytes]:
    """The lines of a stream with these frames; a str or bytes goes in as it is."""
    found = []
    for frame in frames:
        data = frame if isinstance(frame, str | bytes) else json.dumps(frame)
        found += [b"data: " + (data if isinstance(data, bytes) else data.encode()), b""]
    return found


def make_turn(
    reasoning: ReasoningMode = "summary",
    model: str = "any",
    starts_inside: bool | None = None,
    budget: int = 60,
    reader: ChatReader | None = None,
    summarizer: Summarizer | None = None,
    families: Families | None = None,
    body: dict[str, Any] | None = None,
    max_tokens: int | None = None,
    keeps_answer: bool = False,
) -> Turn:
    """A turn that began at second 0."""
    families = families or Families(Config())
    turn = Turn(
        started=0,
        prompt_summary="What is 2+2?",
        reasoning=reasoning,
        source=lambda upstream, model: Reading(
            reader or ChatReader(), families.reading(upstream, model, body or {}, starts_inside)
        ),
        max_tokens=max_tokens,
        keeps_answer=keeps_answer,
        summarizer=summarizer or ExtractiveSummarizer("What is 2+2?", budget),
    )
    turn.call("upstream", model)
    return turn


def run(turn: Turn, *reads: list[bytes], close: bool = True) -> list[Event]:
    """All events of a turn: it starts after 1 ms, a read comes each second, then the body ends."""
    events = turn.start(0.001)
    for second, read in enumerate(reads, 1):
        events += turn.feed(read, second)
    events += turn.close(len(reads) + 1) if close else []
    return events + (turn.fail(turn.fault, len(reads) + 1) if turn.fault else [])


def joined(events: list[Event]) -> list[Event]:
    """The events with neighbouring pieces of one text joined: what no cut may change."""
    found: list[Event] = []
    for event in events:
        last = found[-1] if found else None
        if type(event) is type(last) and isinstance(event, OutputDelta | ReasoningDelta):
            found[-1] = type(event)(last.text + event.text)
        else:
            found.append(event)
    return found


def text(events: list[Event], kind: type[Event]) -> str:
    """All text of one kind of event."""
    joint = "\n" if kind is SummaryDelta else ""
    return joint.join(event.text for event in events if type(event) is kind)
