"""Templates give what the full parse gives, whatever the frames and however they are cut."""

import itertools
import json
from collections.abc import Callable, Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.parts import Content, End, Finish, Part, Reasoning
from gateway.upstreams.chat_reader import ChatReader
from gateway.upstreams.frame_template import TemplateLearner
from tests.core.cuts import cut, places
from tests.properties import examples

HEAD = '{"id":"x","created":1,"choices":[{"index":0,"delta":{"content":'
TAIL = ',"role":null},"logprobs":null,"finish_reason":null}]}'
LABELLED = ('{"choices":[{"index":0,"delta":{"reasoning_content":', "}}]}")
TWICE = '{"choices":[{"delta":{"reasoning_content":"%s","reasoning":"%s"}}]}'
FLAGGED = (
    '{"choices":[{"delta":{"extra_content":{"google":{"thought":true}},"content":',
    "}}]}",
)


class NoTemplate(TemplateLearner):
    """Learns nothing, so that every frame is parsed."""

    def learn(self, line: bytes, parse: Callable[[bytes], list[Part]]) -> None:
        pass


class FullParse(ChatReader):
    """Reads without templates."""

    def __init__(self) -> None:
        super().__init__()
        self._learner = NoTemplate()


def event(data: str) -> bytes:
    return b"data: " + data.encode("utf-8", "surrogatepass") + b"\n\n"


def steady(inside: str) -> bytes:
    """A frame of the steady phase, with this between the quotes."""
    return event(f'{HEAD}"{inside}"{TAIL}')


def flagged(inside: str) -> bytes:
    """A frame as Google sends it, whose text is a thought, or has the tags to say so."""
    return event(f'{FLAGGED[0]}"{inside}"{FLAGGED[1]}')


plain = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"\\'))
"""Texts that need no escape."""
nasty = st.lists(
    st.sampled_from(['"', "\\", '\\"', '","', "n", "\\u00e9", "\\ud83d", "\n", "\r", "\0", "<"])
    | st.sampled_from(["}", "]", ",", "thought>", "é", "\u2028", "\x85", " ", TAIL, HEAD, "data: "])
).map("".join)
"""What stands between the quotes and may be no string at all."""
odd = st.sampled_from(
    [
        event('{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}'),
        event('{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'),
        event('{"choices":[],"usage":{"total_tokens":3}}'),
        event('{"choices":[{"index":1,"delta":{"content":"another choice"}}]}'),
        event(HEAD.replace('"x"', '"y"') + '"another id"' + TAIL),
        event(HEAD + '"two","content":"of them"' + TAIL),
        event(HEAD + "null" + TAIL),
        event(HEAD + '["a list"]' + TAIL),
        event(f'{LABELLED[0]}"a thought"{LABELLED[1]}'),
        flagged("thought"),
        flagged("<thought>tagged"),
        event(TWICE % ("same", "same")),
        event(TWICE % ("one", "other")),
        event('{"error":{"message":"no"}}'),
        b"data:" + steady("no space")[6:],
        b"\xef\xbb\xbf" + steady("a mark before it"),
        steady("CRLF").replace(b"\n", b"\r\n"),
        steady("CR").replace(b"\n", b"\r"),
        steady("cut in two by a line end").replace(b"two", b"\n"),
        steady("no blank line behind it")[:-1],
        steady("one that is too long") + b"\n\n",
        steady("bad \udcff utf-8"),
        b"event: error\n" + steady("named"),
        b"event: error\n\n",
        b"event: error\n",
        b"id: 7\n" + steady("with an id"),
        b": a comment\n\n",
        b": a comment\n",
        b"data: [DONE]\n\n",
        b"data: hello\n\n",
        b"\n",
        event(HEAD),
        event(TAIL),
        event(f'{HEAD}"{TAIL}'),
        b'data: ","\n\n',
    ]
)
split_character = st.just([steady("~").replace(b"~", b"\xc3"), steady("~").replace(b"~", b"\xa9")])
"""Half a character in one frame and half in the next: neither is valid alone."""
frames = st.lists(
    st.builds(lambda text: [steady(text)], plain)
    | st.builds(lambda text: [steady(json.dumps(text)[1:-1])], st.text())
    | st.builds(lambda text: [steady(text)], nasty)
    | st.builds(lambda frame: [frame], odd)
    | st.builds(lambda frame, count: [frame] * count, odd, st.integers(2, 3))
    | split_character,
    max_size=12,
).map(lambda groups: [frame for group in groups for frame in group])


def read(reader: ChatReader, lines: list[bytes], at: list[int]) -> list[list[Part]]:
    """The parts of each read, when the lines are cut into reads at these places."""
    edges = [0, *sorted(place % (len(lines) + 1) for place in at), len(lines)]
    reads = [lines[a:b] for a, b in itertools.pairwise(edges)]
    return [*map(reader.feed, reads), reader.close()]


@examples(5)
@given(frames, places, st.booleans())
@example([flagged("a"), flagged("<thought>b"), flagged("c")], [2, 4], False)
@example([steady("a"), steady("b"), event(f'{HEAD}"{TAIL}')], [2], False)
@example([steady("a"), steady("c\\"), steady(',"d')], [2], False)
def test_templates_give_what_the_full_parse_gives(
    stream: list[bytes], at: list[int], begins_steady: bool
) -> None:
    body = b"".join([steady("first")] * begins_steady + stream)
    lines = body.splitlines()
    assert read(ChatReader(), lines, at) == read(FullParse(), lines, at)


@given(st.lists(st.text(), min_size=1, max_size=8), places)
def test_no_cut_of_a_steady_stream_changes_its_text(texts: list[str], at: list[int]) -> None:
    body = b"".join(steady(json.dumps(text)[1:-1]) for text in texts)
    reader = ChatReader()
    parts = [
        part
        for lines in _whole_lines(cut(body, at))
        for part in reader.feed(lines)
        if isinstance(part, Content)
    ]
    assert "".join(part.text for part in parts) == "".join(texts)


def _whole_lines(pieces: list[bytes]) -> list[list[bytes]]:
    """Returns the lines that a piece completes, as the transport does."""
    found, rest = [], b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        found.append(lines)
    return found


class Counting(ChatReader):
    """Counts the events that took the full parse."""

    parsed = 0

    def _parsed(self, lines: Sequence[bytes], at: int, end: int | None = None) -> int:
        self.parsed += 1
        return super()._parsed(lines, at, end)


def lines_of(*stream: bytes) -> list[bytes]:
    return b"".join(stream).splitlines()


def test_a_steady_stream_is_parsed_once() -> None:
    reader = Counting()
    for _ in range(3):
        assert reader.feed(lines_of(*[steady("é \\n")] * 100)) == [Content("é \n" * 100)]
    assert reader.parsed == 1


def test_labelled_reasoning_is_read_with_a_template() -> None:
    reader = Counting()
    thought = event(f'{LABELLED[0]}"hm "{LABELLED[1]}')
    parts = reader.feed(lines_of(*[thought] * 50, *[steady("so")] * 50))
    assert parts == [Reasoning("hm " * 50), Content("so" * 50)]
    assert reader.parsed == 2


def test_an_odd_frame_among_steady_ones_is_parsed_alone() -> None:
    reader = Counting()
    end = event('{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}')
    stream = [*[steady("a")] * 50, end, b"data: [DONE]\n\n"]
    assert reader.feed(lines_of(*stream)) == [Content("a" * 50), Finish("stop"), End()]
    assert reader.parsed == 3


def test_a_server_that_counts_seconds_in_its_frames_is_learned_again() -> None:
    reader = Counting()
    for second in range(100):
        frame = steady("a").replace(b'"created":1', b'"created":%d' % second)
        assert reader.feed(lines_of(*[frame] * 5)) == [Content("aaaaa")]
    assert reader.parsed == 100
