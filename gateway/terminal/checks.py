"""`--check` and `--health`: is this gateway what it has to be, and how is it?"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from gateway.terminal.door import Door
from gateway.terminal.formats import CHAT_PATH
from gateway.terminal.output import compact
from gateway.terminal.stream import CONTROLS, Chunks, Failure, decode
from gateway.terminal.timeline import NEVER, Timeline
from gateway.terminal.turns import failure_of

CHECK_PROMPT = "Explain streaming APIs"
COMMON_WORD = re.compile(
    "about|and|are|can|describe|explain|for|from|how|tell|that|the|what|with|write"
)


@dataclass(frozen=True, slots=True)
class Measured:
    """The answer to a prompt request. Times are seconds from the request, inf for never."""

    prompt: str
    answer: str
    chunks: int
    first_byte_s: float
    first_chunk_s: float
    total_s: float
    done: bool

    @property
    def tokens_per_s(self) -> float:
        """Over the total time; four characters count as a token."""
        return len(self.answer) / 4 / (self.total_s or float("inf"))

    @property
    def shared_words(self) -> list[str]:
        """The content words of the prompt that the answer has too."""
        words = dict.fromkeys(re.findall(r"\w{3,}", self.prompt.lower()))
        said = self.answer.lower()
        return [w for w in words if not COMMON_WORD.fullmatch(w) and w.rstrip("s") in said]

    def requirements(self) -> list[tuple[bool, str]]:
        """For each requirement whether it holds, and the line that says so."""
        length, rate, words = len(self.answer), self.tokens_per_s, self.shared_words
        return [
            (length >= 1378, f"at least 1,378 characters: {length:,}"),
            (self.chunks >= 6, f"at least 6 chunks: {self.chunks:,}"),
            (self.first_byte_s < 2.4, f"first byte under 2.4 s: {self.first_byte_s:.3f} s"),
            (rate > 29, f"more than 29 tokens a second: {rate:,.1f}"),
            (self.done, f"ends with [DONE]: {'yes' if self.done else 'no'}"),
            (bool(words), f"the answer refers to the prompt: {', '.join(words) or 'no'}"),
        ]


def measure(door: Door, model: str | None, prompt: str) -> Measured:
    """Sends a prompt request and times its answer. Raises Failure."""
    timeline = Timeline()
    pieces: list[str] = []
    first_chunk_s, done = NEVER, False
    body = {"model": model, "prompt": prompt} if model else {"prompt": prompt}
    with door.stream(CHAT_PATH, body) as reads:
        for event in decode(timeline.reads(reads), Chunks()):
            if event.event == "failed":
                raise failure_of(event)
            if event.event == "final_output_delta":
                first_chunk_s = min(first_chunk_s, timeline.elapsed_s())
                pieces.append(event.text)
            done = event.event == "done"
    times = (timeline.first_byte_s, first_chunk_s, timeline.elapsed_s())
    return Measured(prompt, "".join(pieces), len(pieces), *times, done)


def check(door: Door, model: str | None, prompt: str) -> None:
    """Prints the statistics and each requirement. Raises Failure if one does not hold."""
    m = measure(door, model, prompt)
    click.echo(f"""\
chunks               {m.chunks:,}
characters           {len(m.answer):,}
time to first byte   {m.first_byte_s:.3f} s
time to first chunk  {m.first_chunk_s:.3f} s
total time           {m.total_s:.3f} s
tokens a second      {m.tokens_per_s:,.1f} (characters / 4, over the total time)
""")
    for holds, line in m.requirements():
        mark = click.style("ok    ", fg="green") if holds else click.style("FAIL  ", fg="red")
        click.echo(mark + line)
    if broken := sum(not holds for holds, _ in m.requirements()):
        raise Failure(f"{broken} of {len(m.requirements())} requirements do not hold")


def check_health(door: Door) -> None:
    """Prints what GET /health says. Raises Failure unless its status is ok."""
    health = door.get("/health")
    click.echo("\n".join(readable(health)).translate(CONTROLS))
    if health.get("status") != "ok":
        raise Failure(f"{door.url} says of itself: status {health.get('status')}")


def readable(value: Any, indent: str = "") -> Iterator[str]:
    """A JSON value as indented lines, `name: value` each."""
    for name, item in value.items() if isinstance(value, dict) else enumerate(value, 1):
        if isinstance(item, dict | list) and item:
            yield f"{indent}{name}:"
            yield from readable(item, indent + "  ")
        else:
            yield f"{indent}{name}: {item if isinstance(item, str) else compact(item)}"
