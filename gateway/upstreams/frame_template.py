"""The fast path: cuts the text out of frames that differ in nothing else. Pure.

In its steady phase a server sends the same frame again and again, and only the text in it changes:

    data: {"id":"a","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}
    data: {"id":"a","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}]}
    └─────────────────────────── head ───────────────────────┘   └────────── tail ─────────┘

Once head and tail are known, the texts of a whole read are cut out at once. Three checks make the
result that of the full parse, whatever arrives:

- learning: the full parse of head + a probe + tail gives the probe and nothing else, so it gives
  any other text that stands there as well;
- cutting: what was cut, put together again, is byte for byte what came;
- reading: each text is by itself the inside of one JSON string.

Whatever does not pass goes through the full parse, frame by frame.
"""

import re
from collections.abc import Callable, Sequence

import msgspec

from gateway.core.parts import Content, Part, Reasoning

_MAX_FRUITLESS = 8
"""After so many patterns that fitted no other frame, this stream's frames differ in more than text
(some servers pad them at random), and no more are tried."""

_NEAR, _FAR = 8, 1 << 20

_STRING = re.compile(rb'"(?:content|text|thinking|reasoning\w*)"\s*:\s*"((?:[^"\\]|\\.)+)"')
"""Where the text may stand."""
_PROBE = b"a <thought> of the splice"
"""It holds the one tag at which a reader takes a text for something else."""
_read_strings = msgspec.json.Decoder(list[str]).decode

Kind = type[Content] | type[Reasoning]


class Pattern:
    """What stands around the text in the line of a frame, and what the text is."""

    __slots__ = ("fits", "head", "kind", "tail")

    def __init__(self, head: bytes, tail: bytes, kind: Kind) -> None:
        self.head = head
        self.tail = tail
        self.kind = kind
        self.fits = False
        """Frames were cut by it since it was last looked at; who cuts says so here."""


def read_texts(texts: Sequence[bytes]) -> str | None:
    """What the insides of strings say together; None: not each of them is one.

    The line feed, which no JSON string can hold, keeps a stray quote or backslash in one text from
    joining it to the next.
    """
    try:
        strings = _read_strings(b'["' + b'",\n"'.join(texts) + b'"]')
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return "".join(strings) if len(strings) == len(texts) else None


class Splice:
    """The pattern of one stream's frames: learned from one, it stands for those that follow."""

    def __init__(self) -> None:
        self.pattern: Pattern | None = None
        """None while nothing is learned."""
        self._fruitless = 0
        self._reach = _FAR
        """So many lines are tried at once: twice as far as the frames have fitted lately, so that
        frames of changing kinds don't cost a look at all the rest for each."""

    def cut(self, lines: Sequence[bytes], at: int) -> list[bytes]:
        """The insides of the strings of the frames that fit, in a row from line `at` on.

        Each takes two lines: a frame and the blank line behind it.
        """
        pattern = self.pattern
        if pattern is None:
            return []
        head, tail = pattern.head, pattern.tail
        start, stop = len(head), -len(tail)
        if len(lines) == at + 2:
            return [lines[at][start:stop]] if _fits(pattern, lines, at) else []
        end = min(len(lines) - (len(lines) - at) % 2, at + self._reach)
        texts = [line[start:stop] for line in lines[at:end:2]]
        put_together = head + (tail + b"\n\n" + head).join(texts) + tail
        if put_together + b"\n" == b"\n".join(lines[at:end]):
            self._reach = min(2 * self._reach, _FAR)
            return texts
        fitting = 0
        while at + 2 * fitting < end and _fits(pattern, lines, at + 2 * fitting):
            fitting += 1
        self._reach = max(_NEAR, 4 * fitting)
        return texts[:fitting]

    def read(self, texts: Sequence[bytes]) -> Content | Reasoning | None:
        """What was cut, as one part; None: it takes the full parse to read it."""
        text = read_texts(texts)
        if self.pattern is None or text is None:
            return None
        self.pattern.fits = True
        return self.pattern.kind(text)

    def learn(self, line: bytes, parse: Callable[[bytes], list[Part]]) -> None:
        """Takes the line of a frame that did not fit; `parse` is the full one, of a new reader."""
        if self.pattern is not None and self.pattern.fits:
            self.pattern.fits = False
            self._fruitless = 0
        if self._fruitless >= _MAX_FRUITLESS or not _STRING.search(line):
            return
        match parse(line):
            case [Content() | Reasoning() as part]:
                kind = type(part)
            case _:
                return
        self._fruitless += 1
        for string in _STRING.finditer(line):
            head, tail = line[: string.start(1)], line[string.end(1) :]
            if parse(head + _PROBE + tail) == [kind(_PROBE.decode())]:
                self.pattern = Pattern(head, tail, kind)
                return


def _fits(pattern: Pattern, lines: Sequence[bytes], i: int) -> bool:
    line = lines[i]
    return (
        not lines[i + 1]
        and line.startswith(pattern.head)
        and line.endswith(pattern.tail, len(pattern.head))
    )
