"""What the doctor concludes from what a model server did. No I/O."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from gateway.core.families import Family, SegmentKind, TextReading
from gateway.core.parts import Content, End, Fault, Finish, Part, Reasoning

Level = Literal["ok", "hint", "fault"]
MAX_TOKENS = 2000
PROMPT = "Which is larger, 9.11 or 9.9? Think first, then answer in one sentence."
_BUFFERED_S = 1.0
_MIN_FRAMES = 12


class Finding(NamedTuple):
    """One thing that was looked at."""

    level: Level
    text: str
    advice: str = ""
    """What to change; "" for nothing."""


class Observed(NamedTuple):
    """One streamed answer."""

    parts: Sequence[Part]
    frames: int
    """Frames with a choice."""
    read_at_s: Sequence[float]
    """When each read came that brought a line, in seconds since the request."""
    reasoning_field: str
    """The member in which the server sends its reasoning; "" for none."""


def about_answer(observed: Observed, reading: TextReading, family: Family) -> list[Finding]:
    """Returns what a streamed answer shows."""
    faults = [part for part in observed.parts if isinstance(part, Fault)]
    if faults:
        return [Finding("fault", f"its answer breaks off: {faults[0].message}")]
    return [
        _about_end(observed),
        _about_reasoning(observed, reading, family),
        _about_pace(observed),
    ]


def _about_end(observed: Observed) -> Finding:
    reasons = [part.reason for part in observed.parts if isinstance(part, Finish)]
    is_whole = any(isinstance(part, End) for part in observed.parts)
    text = "".join(part.text for part in observed.parts if isinstance(part, Content | Reasoning))
    if not text:
        return Finding("fault", "its answer is empty", "try the model with another client")
    if not reasons and not is_whole:
        return Finding(
            "fault",
            "its answer has no end: no finish reason and no [DONE]",
            "a proxy between may cut long answers; look at its time limits",
        )
    if reasons and reasons[0] == "length":
        return Finding("hint", f"the answer was cut at {MAX_TOKENS} tokens: it thinks for long")
    return Finding("ok", f"a streamed answer of {observed.frames} frames, which ends as it should")


def _about_reasoning(observed: Observed, reading: TextReading, family: Family) -> Finding:
    if observed.reasoning_field or any(isinstance(part, Reasoning) for part in observed.parts):
        field = observed.reasoning_field or "a list of blocks"
        return Finding("ok", f"the server labels the reasoning, in `{field}`")
    for part in observed.parts:
        if isinstance(part, Content):
            segments = reading.splitter.feed(part.text)
            if any(kind is SegmentKind.REASONING for kind, _ in segments):
                break
    splitter = reading.splitter
    if splitter.saw_unopened_end:
        return Finding(
            "hint",
            "the reasoning begins without a start marker: the chat template has opened it",
            "the gateway learns this within three answers; to have it from the first, set "
            "`starts_inside = true` in a [[models]] table",
        )
    if splitter.saw_start:
        return Finding("ok", f"the reasoning is marked in the text, as in the family {family.name}")
    return Finding(
        "hint",
        "no reasoning was found in the answer",
        "if the model does think, have its server label the reasoning (docs/upstreams.md), or say "
        "how it is marked, in a [[models]] table (docs/models.md)",
    )


def _about_pace(observed: Observed) -> Finding:
    times = observed.read_at_s
    if not times:
        return Finding("fault", "nothing was read")
    took_s = times[-1] - times[0]
    # A server that streams sends tokens while it makes them: in many reads, over all of the time.
    arrived_at_once = len(times) <= 2 or took_s < times[0] / 10
    if observed.frames >= _MIN_FRAMES and times[0] > _BUFFERED_S and arrived_at_once:
        return Finding(
            "fault",
            f"all of the answer came at once, after {times[0]:.1f} s: something holds it back",
            "turn buffering off in the proxy between (nginx: `proxy_buffering off;`)",
        )
    return Finding("ok", f"first token after {times[0]:.1f} s, then {_rate(observed, took_s)}")


def _rate(observed: Observed, took_s: float) -> str:
    if took_s < 0.05:
        return "the rest at once"
    return f"{observed.frames / took_s:.0f} frames a second"
