"""When the parts of a turn arrived, and the waterfall that shows it."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from gateway.core import tokens
from gateway.terminal.output import compact
from gateway.terminal.stream import Event, record

NEVER = float("inf")
LABEL_COLUMNS = 16
NARROWEST_BAR = 10


class Bar(NamedTuple):
    """One row of the waterfall, in seconds from the request; a moment ends when it begins."""

    label: str
    begin_s: float
    end_s: float
    note: str = ""


class Timeline:
    """Times one turn, in seconds from the request."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()
        self._first_s: dict[str, float] = {}
        self._last_s: dict[str, float] = {}
        self._bytes: dict[str, int] = {}
        self._phases: set[str] = set()
        self._end: dict[str, Any] = {}
        self._read_s = 0.0
        self._silence = (0.0, 0.0)  # how long, from when
        self.first_byte_s = NEVER

    def elapsed_s(self) -> float:
        """Since the request."""
        return time.monotonic() - self._start_s

    def reads(self, reads: Iterable[bytes]) -> Iterator[bytes]:
        """The same reads; notes when they arrived."""
        for read in reads:
            now = self.elapsed_s()
            self.first_byte_s = min(self.first_byte_s, now)
            self._silence = max(self._silence, (now - self._read_s, self._read_s))
            self._read_s = now
            yield read

    def add(self, event: Event) -> list[str]:
        """Takes an event that has just arrived. Gives what `--verbose` has to say of it."""
        now = self.elapsed_s()
        phase = event.event.removesuffix("_delta")
        begins = "text" in event.data and phase not in self._phases
        self._phases.add(phase)
        self._first_s.setdefault(event.event, now)
        self._last_s[event.event] = now
        size = tokens.size(event.text)
        self._bytes[event.event] = self._bytes.get(event.event, 0) + size
        if begins:
            return [f"phase {phase} after {now:.3f} s"]
        if event.event == "heartbeat":
            return [f"still waiting after {now:.3f} s"]
        if event.event == "done":
            self._end = event.data
            said = [f"{name}: {compact(value)}" for name, value in event.data.items()]
            return [f"first byte after {self.first_byte_s:.3f} s, done after {now:.3f} s", *said]
        return []

    def _token_count(self, event: str) -> tuple[int, str]:
        """The tokens of reasoning or answer: what the model server said, else an estimate."""
        usage = record(self._end.get("usage"))
        thought = record(usage.get("completion_tokens_details")).get("reasoning_tokens")
        said = thought if event == "reasoning_delta" else usage.get("completion_tokens")
        if isinstance(said, int) and event != "reasoning_delta":
            said -= thought if isinstance(thought, int) else 0
        if isinstance(said, int) and said > 0:
            return said, ""
        return tokens.estimate(self._bytes.get(event, 0)), "about "

    def _speed(self, event: str, seconds: float) -> str:
        count, about = self._token_count(event)
        if not count:
            return ""
        rate = f", {count / seconds:,.0f} a second" if seconds > 0 else ""
        return f"{about}{count:,} tokens{rate}"

    def bars(self) -> Iterator[Bar]:
        """The rows, in the order in which things happen."""
        end_s = self.elapsed_s()
        first = self._first_s
        if (at := first.get("prompt_summary")) is not None:
            yield Bar("prompt summary", at, at)
        timings = record(self._end.get("timings"))
        said_ms = timings.get("first_reasoning_ms")
        thinks_s = first.get("reasoning_delta", said_ms / 1000 if said_ms is not None else NEVER)
        answers_s = first.get("final_output_delta", NEVER)
        begins_s = min(thinks_s, answers_s, end_s)
        yield Bar("waiting", 0, begins_s)
        if thinks_s < NEVER:
            until_s = min(answers_s, end_s)
            yield Bar(
                "thinking", thinks_s, until_s, self._speed("reasoning_delta", until_s - thinks_s)
            )
        if (at := first.get("reasoning_summary_delta")) is not None:
            yield Bar("summary lines", at, self._last_s["reasoning_summary_delta"])
        if (at := first.get("reasoning_summary")) is not None:
            yield Bar("whole summary", at, at)
        if answers_s < NEVER:
            last_s = self._last_s["final_output_delta"]
            yield Bar(
                "answer", answers_s, last_s, self._speed("final_output_delta", last_s - answers_s)
            )
        yield Bar("end", end_s, end_s, self._finish())

    def _finish(self) -> str:
        if "done" not in self._first_s:
            return "not whole"
        return str(self._end.get("finish_reason") or "")

    def waterfall(self, columns: int) -> Iterator[str]:
        """The rows as text of at most so many columns."""
        bars = list(self.bars())
        whole_s = bars[-1].end_s or 1.0
        times = [_span(bar) for bar in bars]
        if columns - LABEL_COLUMNS - max(map(len, times)) < 2 * NARROWEST_BAR:
            times = [_length(bar) for bar in bars]
        times_columns = max(map(len, times))
        notes_columns = 2 + max(len(bar.note) for bar in bars)
        room = columns - LABEL_COLUMNS - times_columns - 3
        with_notes = room - notes_columns >= NARROWEST_BAR
        room = max(NARROWEST_BAR, min(room - notes_columns * with_notes, 60))
        for bar, when in zip(bars, times, strict=True):
            begin = min(int(bar.begin_s / whole_s * room), room - 1)
            length = max(1, round((bar.end_s - bar.begin_s) / whole_s * room))
            mark = "│" if bar.begin_s == bar.end_s else "█" * min(length, room - begin)
            line = (
                f"{bar.label:{LABEL_COLUMNS}}{' ' * begin + mark:{room}}  {when:>{times_columns}}"
            )
            yield f"{line}  {bar.note}".rstrip() if with_notes else line
        length_s, from_s = self._silence
        yield f"longest silence {length_s:.3f} s, from {from_s:.3f} s"[:columns]


def _span(bar: Bar) -> str:
    if bar.begin_s == bar.end_s:
        return f"{bar.begin_s:.3f} s"
    return f"{bar.begin_s:.3f} – {bar.end_s:.3f} s"


def _length(bar: Bar) -> str:
    return f"{bar.end_s - bar.begin_s or bar.begin_s:.3f} s"
