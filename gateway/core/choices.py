"""Several choices of one answer (`n` above 1): one turn for each, all fed with the same lines."""

from collections.abc import Sequence
from typing import Any

from gateway.core.effects import SummaryReply
from gateway.core.events import ChoiceEvent, Done, Event, Failed
from gateway.core.families.evidence import Observation
from gateway.core.turn import Turn
from gateway.errors import GatewayError


class Choices:
    """Has the methods of a turn. Its events carry the number of their choice; the last one ends all
    choices."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = turns
        self._ends: dict[int, Done | Failed] = {}
        self.ended = False

    @property
    def fault(self) -> GatewayError | None:
        """See Turn.fault; of the first choice that has one."""
        return next((turn.fault for turn in self._turns if turn.fault is not None), None)

    def observation(self) -> Observation | None:
        """See Turn.observation; None if the choices showed different things."""
        seen = {turn.observation() for turn in self._turns}
        return seen.pop() if len(seen) == 1 else None

    @property
    def model_ran(self) -> bool:
        """See Turn.model_ran."""
        return any(turn.model_ran for turn in self._turns)

    @property
    def answer_bytes(self) -> int:
        """See Turn.answer_bytes; of all choices."""
        return sum(turn.answer_bytes for turn in self._turns)

    def start(self, now: float) -> list[Event]:
        """See Turn.start."""
        return self._number([turn.start(now) for turn in self._turns])

    def call(self, upstream: str, model: str) -> None:
        """See Turn.call."""
        for turn in self._turns:
            turn.call(upstream, model)

    def feed(self, lines: Sequence[bytes], now: float) -> list[Event]:
        """See Turn.feed."""
        return self._number([turn.feed(lines, now) for turn in self._turns])

    def tick(self, now: float) -> list[Event]:
        """See Turn.tick."""
        return self._number([turn.tick(now) for turn in self._turns])

    def close(self, now: float) -> list[Event]:
        """See Turn.close."""
        return self._number([turn.close(now) for turn in self._turns])

    def fail(self, error: GatewayError, now: float) -> list[Event]:
        """See Turn.fail."""
        return self._number([turn.fail(error, now) for turn in self._turns])

    def next_effect(self, now: float) -> None:
        """See Turn.next_effect. Several choices ask no summary model: each would need a call."""

    def take_summary_reply(self, reply: SummaryReply, now: float) -> list[Event]:
        """See Turn.take_summary_reply; nothing was asked."""
        return []

    def steady_state(self) -> None:
        """See Turn.steady_state. The frames of several choices take turns."""

    def feed_text(self, text: str, now: float) -> list[Event]:
        """See Turn.feed_text; there is no steady state to read a text."""
        raise NotImplementedError

    def record(self) -> dict[str, Any]:
        """The record of the first choice; the others are like it."""
        return {"choices": len(self._turns), **self._turns[0].record()}

    def _number(self, events_of_turns: list[list[Event]]) -> list[Event]:
        numbered: list[Event] = []
        for index, events in enumerate(events_of_turns):
            for event in events:
                if isinstance(event, Done | Failed):
                    self._ends[index] = event
                if not isinstance(event, Failed):
                    numbered.append(ChoiceEvent(index, event))
        if not self.ended and len(self._ends) == len(self._turns):
            self.ended = True
            ends = self._ends.values()
            numbered.append(next((end for end in ends if isinstance(end, Failed)), self._ends[0]))
        return numbered
