"""A reader of any format is shown the summary of the reasoning, however the stream was cut."""

import json
from typing import Any

import pytest
import sseclient
from hypothesis import given
from hypothesis import strategies as st

from gateway.apis import DIALECTS, Answer
from gateway.core.events import Event, ReasoningSummary, SummaryDelta
from tests.core.cuts import cut, every_cut, places
from tests.core.scripted import DONE, FINISH, contents, joined, lines, make_turn, run, text

THOUGHT = (
    "First, the user asks for the sum of two and two. So I add 2 and 2. Therefore the result is 4."
)
ONE_TURN = f"<think>{THOUGHT}</think>The answer is 4."
SHOWN = "I add 2 and 2. The result is 4."

SENTENCES = st.sampled_from(
    [
        "First, the user asks for the sum of two and two. ",
        "So I add 2 and 2. ",
        "The train leaves at 9:40 and it arrives at 11:10 in the morning. ",
        "Speed is distance divided by time, so 120 / 1.5 = 80 km/h for the whole way. ",
        "Wait, no, that is wrong.\n\n",
        "Therefore the result is 4. ",
        "Let me check that again. ",
        "```python\nx = 1\n```\n",
        "所以答案是四。",
    ]
)


def events_of(pieces: list[str]) -> list[Event]:
    return run(make_turn(), lines(*contents(*pieces), FINISH, DONE))


def shown_in(name: str, events: list[Event]) -> str:
    """The text of the reasoning's summary that a client of this format reads."""
    dialect = DIALECTS[name](Answer(id="1", model="m", created=7))
    stream = dialect.begin() + dialect.encode(1, events)
    if name == "ollama":
        messages = [json.loads(line)["message"] for line in stream.splitlines()]
        return "".join(message.get("thinking", "") for message in messages)
    found = [e for e in sseclient.SSEClient([stream]).events() if e.data != "[DONE]"]
    named: list[tuple[str, Any]] = [(event.event, json.loads(event.data)) for event in found]
    match name:
        case "events":
            return "".join(d["text"] for kind, d in named if kind == "reasoning_summary")
        case "phased":
            deltas = [c["delta"] for _, d in named for c in d["choices"]]
            return "".join(d.get("content") or "" for d in deltas).partition("[Reasoning Summary]")[
                2
            ]
        case "openai":
            deltas = [c["delta"] for _, d in named for c in d["choices"]]
            return "".join(d.get("reasoning_content") or "" for d in deltas)
        case "messages":
            deltas = [d["delta"] for kind, d in named if kind == "content_block_delta"]
            return "".join(delta.get("thinking", "") for delta in deltas)
        case "responses":
            kinds = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
            return "".join(d["delta"] for kind, d in named if kind in kinds)
    raise AssertionError(f"how does {name} show a summary?")


FORMATS = [name for name in DIALECTS if name != "plain"]
"""`plain` shows no reasoning."""


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", FORMATS)
def test_short_reasoning_has_its_summary(name: str) -> None:
    for pieces in every_cut(ONE_TURN):
        assert SHOWN in one_line(shown_in(name, events_of(pieces)))


@pytest.mark.parametrize("name", FORMATS)
@given(parts=st.lists(SENTENCES, min_size=1, max_size=24), where=places)
def test_what_is_shown_is_the_summary_or_its_lines(
    name: str, parts: list[str], where: list[int]
) -> None:
    whole = f"<think>{''.join(parts)}</think>The answer is 4."
    events = events_of(cut(whole, where))
    assert joined(events) == joined(events_of([whole]))
    shown = one_line(shown_in(name, events))
    [summary] = [event for event in events if isinstance(event, ReasoningSummary)]
    live = text(events, SummaryDelta)
    if name == "events" or not live:
        assert one_line(summary.text) in shown
    else:
        assert one_line(f"{live}\n{summary.closing}") in shown
        assert live.strip()
