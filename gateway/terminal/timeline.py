"""When each part of a turn arrived, drawn as a waterfall."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from gateway.terminal.events import Event, as_dict
from gateway.terminal.output import compact_json
from gateway.terminal.text import estimate_tokens, utf8_size

NEVER = float("inf")
LABEL_COLUMNS = 16
MIN_BAR_COLUMNS = 10
MAX_BAR_COLUMNS = 60


class Bar(NamedTuple):
    """One row of the waterfall. Times are seconds since the request; equal for an instant."""

    label: str
    start_s: float
    end_s: float
    note: str = ""


class Timeline:
    """Records the times of one turn, in seconds since the request."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()
        self._first_s: dict[str, float] = {}
        self._last_s: dict[str, float] = {}
        self._bytes: dict[str, int] = {}
        self._phases: set[str] = set()
        self._end: dict[str, Any] = {}
        self._last_read_s = 0.0
        self._longest_silence = (0.0, 0.0)  # duration, start
        self.first_byte_s = NEVER

    def elapsed_s(self) -> float:
        """Seconds since the request."""
        return time.monotonic() - self._start_s

    def watch(self, reads: Iterable[bytes]) -> Iterator[bytes]:
        """Passes the reads on and records when they arrive."""
        for read in reads:
            now = self.elapsed_s()
            self.first_byte_s = min(self.first_byte_s, now)
            silence = (now - self._last_read_s, self._last_read_s)
            self._longest_silence = max(self._longest_silence, silence)
            self._last_read_s = now
            yield read

    def add(self, event: Event) -> list[str]:
        """Records an event that has just arrived. Returns the lines that `--verbose` prints."""
        now = self.elapsed_s()
        phase = event.name.removesuffix("_delta")
        new_phase = "text" in event.data and phase not in self._phases
        self._phases.add(phase)
        self._first_s.setdefault(event.name, now)
        self._last_s[event.name] = now
        self._bytes[event.name] = self._bytes.get(event.name, 0) + utf8_size(event.text)
        if new_phase:
            return [f"phase {phase} after {now:.3f} s"]
        if event.name == "heartbeat":
            return [f"still waiting after {now:.3f} s"]
        if event.name == "done":
            self._end = event.data
            values = [f"{name}: {compact_json(value)}" for name, value in event.data.items()]
            return [f"first byte after {self.first_byte_s:.3f} s, done after {now:.3f} s", *values]
        return []

    def _token_count(self, event: str) -> tuple[int, str]:
        """The tokens of the reasoning or the answer, and "about " if the number is an estimate."""
        usage = as_dict(self._end.get("usage"))
        reasoning = as_dict(usage.get("completion_tokens_details")).get("reasoning_tokens")
        tokens = reasoning if event == "reasoning_delta" else usage.get("completion_tokens")
        if isinstance(tokens, int) and event != "reasoning_delta":
            tokens -= reasoning if isinstance(reasoning, int) else 0
        if isinstance(tokens, int) and tokens > 0:
            return tokens, ""
        return estimate_tokens(self._bytes.get(event, 0)), "about "

    def _speed(self, event: str, seconds: float) -> str:
        tokens, about = self._token_count(event)
        if not tokens:
            return ""
        rate = f", {tokens / seconds:,.0f} a second" if seconds > 0 else ""
        return f"{about}{tokens:,} tokens{rate}"

    def bars(self) -> Iterator[Bar]:
        """The rows, in the order of a turn."""
        end_s = self.elapsed_s()
        first = self._first_s
        if (at_s := first.get("prompt_summary")) is not None:
            yield Bar("prompt summary", at_s, at_s)
        # Without a trace in the stream, the gateway's own timing tells when the reasoning began.
        first_ms = as_dict(self._end.get("timings")).get("first_reasoning_ms")
        reported_s = first_ms / 1000 if isinstance(first_ms, int | float) else NEVER
        thinking_s = first.get("reasoning_delta", reported_s)
        answer_s = first.get("final_output_delta", NEVER)
        yield Bar("waiting", 0, min(thinking_s, answer_s, end_s))
        if thinking_s < NEVER:
            until_s = min(answer_s, end_s)
            speed = self._speed("reasoning_delta", until_s - thinking_s)
            yield Bar("thinking", thinking_s, until_s, speed)
        if (at_s := first.get("reasoning_summary_delta")) is not None:
            yield Bar("summary lines", at_s, self._last_s["reasoning_summary_delta"])
        if (at_s := first.get("reasoning_summary")) is not None:
            yield Bar("whole summary", at_s, at_s)
        if answer_s < NEVER:
            last_s = self._last_s["final_output_delta"]
            yield Bar(
                "answer", answer_s, last_s, self._speed("final_output_delta", last_s - answer_s)
            )
        yield Bar("end", end_s, end_s, self._finish())

    def _finish(self) -> str:
        if "done" not in self._first_s:
            return "incomplete"
        return str(self._end.get("finish_reason") or "")

    def waterfall(self, columns: int) -> Iterator[str]:
        """The rows as text, at most `columns` wide. Notes are dropped if there is no room."""
        bars = list(self.bars())
        total_s = bars[-1].end_s or 1.0
        times = [_span(bar) for bar in bars]
        if columns - LABEL_COLUMNS - max(map(len, times)) < 2 * MIN_BAR_COLUMNS:
            times = [_duration(bar) for bar in bars]
        times_columns = max(map(len, times))
        notes_columns = 2 + max(len(bar.note) for bar in bars)
        room = columns - LABEL_COLUMNS - times_columns - 3
        with_notes = room - notes_columns >= MIN_BAR_COLUMNS
        room = min(room - notes_columns * with_notes, MAX_BAR_COLUMNS)
        room = max(MIN_BAR_COLUMNS, room)
        for bar, when in zip(bars, times, strict=True):
            start = min(int(bar.start_s / total_s * room), room - 1)
            length = max(1, round((bar.end_s - bar.start_s) / total_s * room))
            mark = "│" if bar.start_s == bar.end_s else "█" * min(length, room - start)
            drawn = f"{bar.label:{LABEL_COLUMNS}}{' ' * start + mark:{room}}"
            line = f"{drawn}  {when:>{times_columns}}"
            yield f"{line}  {bar.note}".rstrip() if with_notes else line
        duration_s, start_s = self._longest_silence
        yield f"longest silence {duration_s:.3f} s, from {start_s:.3f} s"[:columns]


def _span(bar: Bar) -> str:
    if bar.start_s == bar.end_s:
        return f"{bar.start_s:.3f} s"
    return f"{bar.start_s:.3f} – {bar.end_s:.3f} s"


def _duration(bar: Bar) -> str:
    return f"{bar.end_s - bar.start_s or bar.start_s:.3f} s"
