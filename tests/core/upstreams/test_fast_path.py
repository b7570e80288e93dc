"""The short way gives, byte for byte, what the long way gives."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.apis import DIALECTS, Answer
from gateway.config import ReasoningMode
from gateway.transport.chunked import ChunkedDecoder
from gateway.upstreams.lane import Lane, find_lane
from tests.core.scripted import DONE, FINISH, contents, delta, make_turn

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


class Driver:
    """Takes reads as the direct driver does, with or without the short way."""

    def __init__(self, format: str, mode: ReasoningMode, *, goes_short: bool) -> None:
        self.turn = make_turn(mode)
        answer = Answer(id="a", model="m", created=1, reasoning=mode)
        self.dialect = DIALECTS[format](answer)
        self.sent = [self.dialect.begin(), self.dialect.encode(1, self.turn.start(0))]
        self.taken = 0
        self._number = 2
        self._goes_short = goes_short
        self._decoder = ChunkedDecoder()
        self._rest = b""
        self._lane: Lane | None = None

    def read(self, data: bytes) -> None:
        if self._lane is not None and (carried := self._lane.carry(data)) is not None:
            self.taken += 1
            text, frames = carried
            if frames:
                self.sent.append(frames)
                self._number += 1
            self._tell(self._lane.take(text, 1))
            return
        data = self._rest + self._decoder.feed(data)
        end = max(data.rfind(b"\n"), data.rfind(b"\r", 0, -1)) + 1
        data, self._rest = data[:end], data[end:]
        self._tell(self.turn.feed(data.splitlines(), 1))
        is_whole = self._decoder.at_boundary and not self._rest
        steady = self.turn.steady() if self._goes_short and is_whole else None
        self._lane = find_lane(self._lane, steady, self.dialect.around) if steady else None

    def close(self) -> None:
        self._tell(self.turn.close(2))
        if self.turn.fault is not None:
            self._tell(self.turn.fail(self.turn.fault, 2))

    def _tell(self, events: list[Any]) -> None:
        self.sent.append(self.dialect.encode(self._number, events))
        self._number += len(events)


def driven(reads: list[bytes], format: str, mode: ReasoningMode, *, goes_short: bool) -> Driver:
    driver = Driver(format, mode, goes_short=goes_short)
    for read in reads:
        driver.read(read)
    driver.close()
    return driver


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


@pytest.mark.parametrize("format", DIALECTS)
@settings(max_examples=150, deadline=None)
@given(reads=streams(), mode=st.sampled_from(MODES))
def test_the_short_way_gives_what_the_long_way_gives(
    format: str, reads: list[bytes], mode: ReasoningMode
) -> None:
    short = driven(reads, format, mode, goes_short=True)
    long = driven(reads, format, mode, goes_short=False)
    assert b"".join(short.sent) == b"".join(long.sent)
    assert short.turn.record() == long.turn.record()


def tokens(*texts: str) -> Iterator[bytes]:
    return (chunk(frame(data)) for data in contents(*texts))


@pytest.mark.parametrize("mode", ["summary", "raw", "none"])
@pytest.mark.parametrize("format", ["openai", "phased"])
def test_a_token_by_itself_goes_the_short_way(format: str, mode: ReasoningMode) -> None:
    reads = [*tokens("<think>", "I ", *["think "] * 50, "</think>", "So", *[" it"] * 50)]
    assert driven(reads, format, mode, goes_short=True).taken == 100


@pytest.mark.parametrize("mode", ["summary", "raw", "none"])
def test_so_do_some_that_come_together(mode: ReasoningMode) -> None:
    texts = ["<think>", *["I ", "think "] * 46, "</think>", "So", " it", *[" it", " é", " is"] * 30]
    reads = [b"".join(some) for some in zip(*[tokens(*texts)] * 3, strict=True)]
    driver = driven(reads, "openai", mode, goes_short=True)
    assert driver.taken == 60
    long = driven(reads, "openai", mode, goes_short=False)
    assert b"".join(driver.sent) == b"".join(long.sent)


def test_so_does_one_that_is_spelled_anew() -> None:
    reads = [*tokens("So", " it", 'a "word"', "é", "\x7f", "\U0001f600"), chunk(steady("\\u0041é"))]
    reads += [chunk(steady("\\u0041é\\/"))]
    driver = driven(reads, "openai", "raw", goes_short=True)
    assert driver.taken == 6
    assert b"".join(driver.sent).count(rb'"content":"A\u00e9/"') == 1


def test_a_line_end_waits_for_what_may_follow_it() -> None:
    reads = [*tokens("So", " it", "\n", " is", " so")]
    assert driven(reads, "openai", "raw", goes_short=True).taken == 2


def test_a_dialect_that_numbers_its_frames_has_no_short_way_for_its_answer() -> None:
    assert driven([*tokens("So", *[" it"] * 50)], "events", "raw", goes_short=True).taken == 0


def test_a_server_that_counts_seconds_in_its_frames_is_learned_again() -> None:
    reads = [chunk(frame({"created": at // 5, **data})) for at, data in enumerate(SO * 200)]
    assert driven(reads, "openai", "raw", goes_short=True).taken == 160


@pytest.mark.parametrize("format", ["openai", "phased"])
def test_a_model_that_thinks_again_does_so_in_the_phase_of_its_answer(format: str) -> None:
    thoughts = [chunk(frame(THOUGHT))] * 4
    reads = [*thoughts, *tokens("So", " it", " is"), *thoughts]
    short = driven(reads, format, "raw", goes_short=True)
    long = driven(reads, format, "raw", goes_short=False)
    assert b"".join(short.sent) == b"".join(long.sent)
    assert short.taken == 8
