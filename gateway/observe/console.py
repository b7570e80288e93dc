"""The log for people: one short line for each turn, and one for everything else."""

from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime
from typing import Any

from gateway.core.tokens import usage_counts

_COLOURS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m", "debug": "\x1b[2m"}
_DIM, _RESET = "\x1b[2m", "\x1b[0m"


class ConsoleRenderer:
    """Renders a log event as a line; the last of structlog's processors."""

    def __init__(self, *, colors: bool) -> None:
        self._colors = colors

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
        fields = dict(event)
        name, level = str(fields.pop("event", "")), str(fields.pop("level", "info"))
        time = _local_time(fields.pop("timestamp", ""))
        trace = fields.pop("exception", None)
        make = _LINES.get(name)
        text = make(fields) if make is not None else " ".join([name, *_pairs(fields)])
        sign = "" if level == "info" or text.startswith("✗") else f"{level.upper()} "
        if self._colors:
            text = f"{_COLOURS[level]}{text}{_RESET}" if level in _COLOURS else text
            time = f"{_DIM}{time}{_RESET}"
        line = f"{time} {sign}{text}"
        return f"{line}\n{trace}" if trace else line


def turn_line(fields: Mapping[str, Any]) -> str:
    """Returns a turn as `200 events qwen3-8b thought 3.9 s · 156 tok, answered 5.9 s → done`.

    `≈` marks an estimated number of tokens.
    """
    head = [str(fields.get("status", 200)), fields.get("format"), fields.get("model") or "default"]
    key = fields.get("key")
    head += [f"({key})"] if key not in (None, "anonymous") else []
    end = str(fields.get("end", ""))
    reason = fields.get("code") or fields.get("finish_reason")
    if reason and reason != "stop":
        end = f"{end}: {reason}"
    upstream = fields.get("upstream")
    if end.startswith(("failed", "refused")) and upstream:
        end = f"{end} at {upstream}"
    phases = ", ".join(_phases(fields))
    return " ".join(filter(None, [*map(str, filter(None, head)), phases, f"→ {end}"]))


def found_line(fields: Mapping[str, Any]) -> str:
    """Returns the result of an upstream's startup check: `✓ vllm http://…: 3 models (vllm)`."""
    count = fields.get("models", 0)
    kind = f" ({fields['kind']})" if fields.get("kind") else ""
    words = f"{count} {'model' if count == 1 else 'models'}{kind}"
    return f"✓ {fields.get('upstream')} {fields.get('url')}: {words}"


def not_found_line(fields: Mapping[str, Any]) -> str:
    """Returns why an upstream has failed its startup check."""
    return (
        f"✗ {fields.get('upstream')} {fields.get('url')}: {fields.get('cause')} {fields['hint']}."
    )


def _phases(fields: Mapping[str, Any]) -> list[str]:
    """Returns the phases of a turn, each with its time and its tokens."""
    thought, answered = fields.get("first_reasoning_ms"), fields.get("first_output_ms")
    total = fields.get("total_ms")
    counts = usage_counts(fields.get("usage"))
    phases = []
    if thought is not None:
        until = answered if answered is not None else total
        estimate = fields.get("estimated_reasoning_tokens")
        phases.append(f"thought{_seconds(thought, until)}{_tokens(counts.reasoning, estimate)}")
    if answered is not None:
        written = counts.completion
        if written is not None:
            written -= min(written, counts.reasoning or 0)
        if counts.reasoning is None and thought is not None:
            written = None
        estimate = fields.get("estimated_output_tokens")
        phases.append(f"answered{_seconds(answered, total)}{_tokens(written, estimate)}")
    return phases


def _seconds(begin: int, end: int | None) -> str:
    return "" if end is None else f" {(end - begin) / 1000:.1f} s"


def _tokens(counted: int | None, estimate: int | None) -> str:
    if counted is not None:
        return f" · {counted:,} tok"
    return f" · ≈{estimate:,} tok" if estimate else ""


def _pairs(fields: Mapping[str, Any]) -> list[str]:
    return [f"{name}={value}" for name, value in fields.items()]


def _local_time(timestamp: str) -> str:
    try:
        return datetime.fromisoformat(timestamp).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return timestamp


_LINES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "turn": turn_line,
    "upstream lists its models": found_line,
    "upstream does not list its models": not_found_line,
}
"""Name of an event → function that makes its line. Other events are shown with their fields."""
