"""The fast path gives, byte for byte, what the full parse gives, in every format."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.apis import Answer
from gateway.config import ReasoningMode
from gateway.core.events import Event
from gateway.core.steady import Feeder, SteadyState
from gateway.transport.chunked import ChunkedDecoder
from tests.core.scripted import DONE, FINISH, contents, delta, make_turn
from tests.toy_api import ALL_DIALECTS

MODES: list[ReasoningMode] = ["summary", "raw", "both", "none"]
HEAD = '{"id":"x","choices":[{"index":0,"delta":{"content":'
TAIL = '},"finish_reason":null}]}'
SO = contents(" so")
THOUGHT = delta(reasoning_content="thought")


def frame(data: Any) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return b"data: " + text.encode("utf-8", "surrogatepass") + b"\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class ParsedTurn:
    """A turn that has no steady state, so that every read takes the full parse."""

    def __init__(self, mode: ReasoningMode) -> None:
        self.turn = make_turn(mode)
        self.fast_reads = 0

    def feed(self, lines: list[bytes], now: float) -> list[Event]:
        return self.turn.feed(lines, now)

    def feed_text(self, text: str, now: float) -> list[Event]:
        self.fast_reads += 1
        return self.turn.feed_text(text, now)

    def steady_state(self) -> SteadyState | None:
        return None


class FastTurn(ParsedTurn):
    """A turn that counts the reads that took the fast path."""

    def steady_state(self) -> SteadyState | None:
        return self.turn.steady_state()


class Stream:
    """What a client is sent for these reads of an upstream's socket."""

    def __init__(self, reads: list[bytes], format: str, mode: ReasoningMode, *, fast: bool) -> None:
        self.counted = FastTurn(mode) if fast else ParsedTurn(mode)
        self.turn = self.counted.turn
        answer = Answer(id="a", model="m", created=1, reasoning=mode)
        self._dialect = ALL_DIALECTS[format](answer)
        self.sent = self._dialect.begin()
        self._number = 1
        self._decoder = ChunkedDecoder()
        self._rest = b""
        self._publish(self.turn.start(0))
        feeder = Feeder(self.counted, self._lines, self._is_between_frames)
        for read in reads:
            self._publish(feeder.feed(read, 1))
        self._publish(self.turn.close(2))
        if self.turn.fault is not None:
            self._publish(self.turn.fail(self.turn.fault, 2))

    def _lines(self, data: bytes) -> list[bytes]:
        data = self._rest + self._decoder.feed(data)
        end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1
        data, self._rest = data[:end], data[end:]
        return data.splitlines()

    def _is_between_frames(self) -> bool:
        return self._decoder.at_boundary and not self._rest

    def _publish(self, events: list[Event]) -> None:
        self.sent += self._dialect.encode(self._number, events)
        self._number += len(events)


def steady(inside: str) -> bytes:
    return frame(f'{HEAD}"{inside}"{TAIL}')


plain = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=5)
nasty = st.sampled_from(
    [
        *[
            "<think>",
            "</think>",
            "<",
            "th",
            "ink>",
            "\\n",
            '\\"',
            "\\\\",
            "\\u003c",
            "é",
            "\\u00e9",
            "",
        ],
        *['"', "\\", "\n", "\x7f", "\0", "\u2028", '","role":"x', TAIL, HEAD, "0\r\n\r\n", "\r\n"],
    ]
)
odd = st.sampled_from(
    [
        frame(THOUGHT),
        frame(delta(role="assistant", content="")),
        frame(delta(tool_calls=[{"index": 0, "id": "c", "function": {"name": "f"}}])),
        frame({"choices": [], "usage": {"total_tokens": 3}}),
        frame({"system_fingerprint": "f", "choices": [{"index": 0, "delta": {"content": "b"}}]}),
        frame({"choices": [{"index": 1, "delta": {"content": "c"}, "finish_reason": None}]}),
        frame(HEAD.replace('"index":0', '"index":1') + '"another choice"' + TAIL),
        frame({"error": {"message": "no"}}),
        frame(FINISH),
        frame(DONE),
        b": a comment\n\n",
        steady("CRLF").replace(b"\n", b"\r\n"),
        steady("no blank line")[:-1],
        steady("one too many") + b"\n",
        steady("named").replace(b"data", b"event: error\ndata", 1),
    ]
)
frames = st.lists(
    st.builds(lambda text: steady(json.dumps(text)[1:-1]), plain)
    | st.builds(lambda text: frame(delta(reasoning_content=text)), plain)
    | st.builds(steady, nasty)
    | odd,
    max_size=14,
)
odd_chunk = st.sampled_from(
    [
        lambda data: b"%X\r\n%s\r\n" % (len(data), data),
        lambda data: b"0%x\r\n%s\r\n" % (len(data), data),
        lambda data: b"%x;a=b\r\n%s\r\n" % (len(data), data),
        lambda data: chunk(data[: len(data) // 2]) + chunk(data[len(data) // 2 :]),
        lambda data: b"%x\r\n%s\r\n" % (len(data) + 1, data),
        lambda data: b"%x\r\n%s\r\n" % (len(data) - 1, data),
    ]
)
BEGINNINGS = [
    [],
    contents("<think>"),
    contents("<think>", "I think."),
    contents("So", " it"),
    contents("<think>", "I think.", "</think>", "So", " it"),
    [THOUGHT] * 3,
    [THOUGHT, *contents("So", " it")],
    [*[THOUGHT] * 3, *contents("So", " it", " is"), THOUGHT],
]


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Reads of a stream: a chunk each, or some of them a few; nearly always a frame a chunk."""
    alone = draw(st.sampled_from([9, 9, 5]))
    begun = [frame(data) for data in draw(st.sampled_from(BEGINNINGS))]
    chunks = [
        draw(odd_chunk)(data) if draw(st.integers(0, 9)) == 9 else chunk(data)
        for data in [*begun, *draw(frames)]
    ]
    body = b"".join(chunks) + b"0\r\n\r\n"
    ends = set()
    at = 0
    for piece in chunks:
        at += len(piece)
        if draw(st.integers(0, 9)) < alone:
            ends.add(at)
    ends |= draw(st.sets(st.integers(1, len(body) - 1), max_size=2))
    return [body[a:b] for a, b in pairwise(sorted({0, *ends, len(body)}))]


@pytest.mark.parametrize("format", ALL_DIALECTS)
@given(reads=streams(), mode=st.sampled_from(MODES))
def test_the_fast_path_gives_what_the_full_parse_gives(
    format: str, reads: list[bytes], mode: ReasoningMode
) -> None:
    fast = Stream(reads, format, mode, fast=True)
    parsed = Stream(reads, format, mode, fast=False)
    assert fast.sent == parsed.sent
    assert fast.turn.record() == parsed.turn.record()


def tokens(*texts: str) -> Iterator[bytes]:
    return (chunk(frame(data)) for data in contents(*texts))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("format", ALL_DIALECTS)
def test_a_token_in_a_read_of_its_own_takes_the_fast_path(format: str, mode: ReasoningMode) -> None:
    reads = [*tokens("<think>", "I ", *["think "] * 50, "</think>", "So", *[" it"] * 50)]
    assert Stream(reads, format, mode, fast=True).counted.fast_reads == 100


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("format", ALL_DIALECTS)
def test_labelled_reasoning_takes_the_fast_path(format: str, mode: ReasoningMode) -> None:
    reads = [*[chunk(frame(THOUGHT))] * 50, *tokens("So", *[" it"] * 49)]
    assert Stream(reads, format, mode, fast=True).counted.fast_reads == 98


@pytest.mark.parametrize("mode", MODES)
def test_tokens_that_arrive_together_take_the_fast_path(mode: ReasoningMode) -> None:
    texts = ["<think>", *["I ", "think "] * 46, "</think>", "So", " it", *[" it", " é", " is"] * 30]
    reads = [b"".join(some) for some in zip(*[tokens(*texts)] * 3, strict=True)]
    fast = Stream(reads, "openai", mode, fast=True)
    assert fast.counted.fast_reads == 60
    assert fast.sent == Stream(reads, "openai", mode, fast=False).sent


def test_a_text_with_escapes_takes_the_fast_path() -> None:
    reads = [*tokens("So", " it", 'a "word"', "é", "\x7f", "\U0001f600"), chunk(steady("\\u0041é"))]
    reads += [chunk(steady("\\u0041é\\/"))]
    fast = Stream(reads, "openai", "raw", fast=True)
    assert fast.counted.fast_reads == 6
    assert fast.sent.count(rb'"content":"A\u00e9/"') == 1


def test_a_line_end_waits_for_the_next_text() -> None:
    reads = [*tokens("So", " it", "\n", " is", " so")]
    assert Stream(reads, "openai", "raw", fast=True).counted.fast_reads == 2


def test_a_frame_that_counts_seconds_is_learned_again() -> None:
    reads = [chunk(frame({"created": at // 5, **data})) for at, data in enumerate(SO * 200)]
    assert Stream(reads, "openai", "raw", fast=True).counted.fast_reads == 160


@pytest.mark.parametrize("format", ALL_DIALECTS)
def test_reasoning_after_the_answer_began_stays_in_the_phase_of_the_answer(format: str) -> None:
    thoughts = [chunk(frame(THOUGHT))] * 4
    reads = [*thoughts, *tokens("So", " it", " is"), *thoughts]
    fast = Stream(reads, format, "raw", fast=True)
    assert fast.sent == Stream(reads, format, "raw", fast=False).sent
    assert fast.counted.fast_reads == 8
