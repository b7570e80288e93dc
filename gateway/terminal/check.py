"""`--check`: measures an answer and compares it with the requirements."""

import re
from dataclasses import dataclass

import click

from gateway.terminal.chat import ChunkAdapter
from gateway.terminal.errors import ClientError
from gateway.terminal.events import decode_events, failed_turn
from gateway.terminal.formats import CHAT_PATH
from gateway.terminal.gateway_client import GatewayClient
from gateway.terminal.timeline import NEVER, Timeline

DEFAULT_PROMPT = "Explain streaming APIs"
_CHARACTERS_PER_TOKEN = 4
_COMMON_WORD = re.compile(
    "about|and|are|can|describe|explain|for|from|how|tell|that|the|what|with|write"
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The measured answer to a prompt. Times are seconds since the request, inf for never."""

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
        return len(self.answer) / _CHARACTERS_PER_TOKEN / (self.total_s or float("inf"))

    @property
    def shared_words(self) -> list[str]:
        """The content words of the prompt that the answer contains, singular or plural."""
        words = dict.fromkeys(re.findall(r"\w{3,}", self.prompt.lower()))
        answer = self.answer.lower()
        return [w for w in words if not _COMMON_WORD.fullmatch(w) and w.rstrip("s") in answer]

    def requirements(self) -> list[tuple[bool, str]]:
        """For each requirement: whether it is met, and a line with the measured value."""
        length, rate, words = len(self.answer), self.tokens_per_s, self.shared_words
        return [
            (length >= 1378, f"at least 1,378 characters: {length:,}"),
            (self.chunks >= 6, f"at least 6 chunks: {self.chunks:,}"),
            (self.first_byte_s < 2.4, f"first byte under 2.4 s: {self.first_byte_s:.3f} s"),
            (rate > 29, f"more than 29 tokens a second: {rate:,.1f}"),
            (self.done, f"ends with [DONE]: {'yes' if self.done else 'no'}"),
            (bool(words), f"the answer refers to the prompt: {', '.join(words) or 'no'}"),
        ]


def measure(client: GatewayClient, model: str | None, prompt: str) -> Measurement:
    """Sends a `prompt` request and times the answer. Raises ClientError."""
    timeline = Timeline()
    texts: list[str] = []
    first_chunk_s, done = NEVER, False
    body = {"model": model, "prompt": prompt} if model else {"prompt": prompt}
    with client.stream(CHAT_PATH, body) as stream:
        for event in decode_events(timeline.watch(stream.reads), ChunkAdapter()):
            if event.name == "failed":
                raise failed_turn(event)
            if event.name == "final_output_delta":
                first_chunk_s = min(first_chunk_s, timeline.elapsed_s())
                texts.append(event.text)
            done = event.name == "done"
    times = (timeline.first_byte_s, first_chunk_s, timeline.elapsed_s())
    return Measurement(prompt, "".join(texts), len(texts), *times, done)


def run_check(client: GatewayClient, model: str | None, prompt: str) -> None:
    """Prints the measurement and each requirement. Raises ClientError if one is not met."""
    m = measure(client, model, prompt)
    click.echo(f"""\
chunks               {m.chunks:,}
characters           {len(m.answer):,}
time to first byte   {m.first_byte_s:.3f} s
time to first chunk  {m.first_chunk_s:.3f} s
total time           {m.total_s:.3f} s
tokens a second      {m.tokens_per_s:,.1f} (characters / 4, over the total time)
""")
    requirements = m.requirements()
    for met, line in requirements:
        mark = click.style("ok    ", fg="green") if met else click.style("FAIL  ", fg="red")
        click.echo(mark + line)
    if failed := sum(not met for met, _ in requirements):
        raise ClientError(f"{failed} of {len(requirements)} requirements are not met")
