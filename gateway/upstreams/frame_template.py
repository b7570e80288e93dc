"""The fast path's template: cuts the text out of frames that differ in nothing else. No I/O.

In its steady phase a server sends the same frame again and again, and only the text changes:

    data: {"id":"a","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}
    data: {"id":"a","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}]}
    └─────────────────────────── head ───────────────────────┘   └────────── tail ─────────┘

Once head and tail are known, the texts of a whole read are cut out at once: from the lines of a
read (:meth:`FrameTemplate.texts_of_lines`), or from the HTTP chunks before they are even decoded
(:meth:`FrameTemplate.texts_of_chunks`). Three checks ensure that the result equals that of the full
parse, for any data:

- learning: the full parse of head + a probe + tail gives the probe and nothing else. So with any
  other text in its place, it gives that text;
- cutting: the cut texts, put together again with head and tail, equal the data byte for byte;
- decoding: each text by itself is the inside of one JSON string.

Data that fails a check takes the full parse, frame by frame.
"""

import re
from collections.abc import Callable, Sequence

import msgspec

from gateway.core.parts import Content, Part, Reasoning

_MAX_MISFITS = 8
"""After this many templates that fitted no second frame, the stream's frames differ in more than
their text (some servers pad them at random), and the learner gives up."""

_NEAR, _FAR = 8, 1 << 20
"""The smallest and the largest number of lines to try at once; see FrameTemplate."""
_MAX_SIZE_DIGITS = 8
"""A chunk whose size has more hexadecimal digits is not a token."""
_MAX_CHUNKS = 16
"""With more chunks in a read, it is cheaper to decode them all and cut the texts of all lines."""
_NO_TEXTS: Sequence[bytes] = ()

_STRING = re.compile(rb'"(?:content|text|thinking|reasoning\w*)"\s*:\s*"((?:[^"\\]++|\\.)++)"')
"""The places where the text may be. The possessive `++` does not backtrack: without it, Python 3.11
takes 137 bytes of memory for each character of the text."""
_MAX_LINE_BYTES = 8192
"""No template is learned from a longer frame: each place where the text may be costs a parse."""
_PROBE = b"a probe"
_decode_strings = msgspec.json.Decoder(list[str]).decode

PartType = type[Content] | type[Reasoning]


class FrameTemplate:
    """The bytes around the text in one kind of frame, and the type of the text."""

    __slots__ = ("_chunk_tail", "_head", "_reach", "_tail", "has_fitted", "part")

    def __init__(self, head: bytes, tail: bytes, part: PartType) -> None:
        """head, tail: the bytes before and after the text in the frame's one line."""
        self._head = head
        self._tail = tail
        self._chunk_tail = tail + b"\n\n\r\n"
        self._reach = _FAR
        """The number of lines to try at once. It follows the length of the last runs of fitting
        frames: if frames of several kinds alternate, trying all remaining lines for each of them
        would take quadratic time."""
        self.part = part
        self.has_fitted = False
        """A frame after the learned one has fitted since the learner last looked."""

    def texts_of_lines(self, lines: Sequence[bytes], at: int) -> list[bytes]:
        """Returns the insides of the JSON strings of the frames that fit, from line `at` up to the
        first frame that does not fit.

        Each frame takes two lines: its own and the blank line that ends it.
        """
        head, tail = self._head, self._tail
        start, stop = len(head), -len(tail)
        if len(lines) == at + 2:
            return [lines[at][start:stop]] if self._fits(lines, at) else []
        end = min(len(lines) - (len(lines) - at) % 2, at + self._reach)
        texts = [line[start:stop] for line in lines[at:end:2]]
        put_together = head + (tail + b"\n\n" + head).join(texts) + tail
        if put_together + b"\n" == b"\n".join(lines[at:end]):
            self._reach = min(2 * self._reach, _FAR)
            return texts
        fitting = 0
        while at + 2 * fitting < end and self._fits(lines, at + 2 * fitting):
            fitting += 1
        self._reach = max(_NEAR, 4 * fitting)
        return texts[:fitting]

    def texts_of_chunks(self, data: bytes) -> Sequence[bytes]:
        """Returns the insides of the JSON strings in a few HTTP chunks of one frame each; none if
        one of the chunks does not fit.

        f3␍␊data: {"id":"a","choices":[{"delta":{"content":" so"},…}]}␊␊␍␊
             └────────────────── head ──────────────────┘   └─ tail ─┘
        """
        head, tail = self._head, self._chunk_tail
        begin = data.find(b"\r\n", 0, _MAX_SIZE_DIGITS) + 2
        if data[: begin - 2] == b"%x" % (len(data) - begin - 2):  # one chunk: the usual case
            if not data.startswith(head, begin) or not data.endswith(tail):
                return _NO_TEXTS
            self.has_fitted = True
            return (data[begin + len(head) : -len(tail)],)
        texts = []
        at = 0
        while at < len(data):
            begin = data.find(b"\r\n", at, at + _MAX_SIZE_DIGITS) + 2
            text = begin + len(head)
            end = data.find(tail, text)
            stop = end + len(tail)
            size = b"%x" % (stop - begin - 2)
            if end < 0 or data[at : begin - 2] != size or not data.startswith(head, begin):
                return _NO_TEXTS
            if len(data) > _MAX_CHUNKS * stop:
                return _NO_TEXTS
            texts.append(data[text:end])
            at = stop
        self.has_fitted = True
        return texts

    def decode(self, texts: Sequence[bytes]) -> str | None:
        """Returns the joined texts of these insides of JSON strings; None if one is invalid.

        No JSON string can hold a line feed. So the line feed between two texts makes the decoding
        fail if a stray quote or backslash in one text would join it to the next.
        """
        try:
            strings = _decode_strings(b'["' + b'",\n"'.join(texts) + b'"]')
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return "".join(strings) if len(strings) == len(texts) else None

    def _fits(self, lines: Sequence[bytes], at: int) -> bool:
        line = lines[at]
        return (
            not lines[at + 1]
            and line.startswith(self._head)
            and line.endswith(self._tail, len(self._head))
        )


class TemplateLearner:
    """Learns the template of one stream from one of its frames, for the frames that follow."""

    def __init__(self) -> None:
        self.template: FrameTemplate | None = None
        """None until a template is learned."""
        self._misfits = 0

    def learn(self, line: bytes, parse: Callable[[bytes], list[Part]]) -> None:
        """Learns from a frame that did not fit the template, if its text is all that it contains.

        line: the frame's one line. parse: the full parse of one line.
        """
        if self.template is not None and self.template.has_fitted:
            self.template.has_fitted = False
            self._misfits = 0
        if self._misfits >= _MAX_MISFITS or len(line) > _MAX_LINE_BYTES:
            return
        if not _STRING.search(line):
            return
        match parse(line):
            case [Content() | Reasoning() as part]:
                kind = type(part)
            case _:
                return
        self._misfits += 1
        for string in _STRING.finditer(line):
            head, tail = line[: string.start(1)], line[string.end(1) :]
            if parse(head + _PROBE + tail) == [kind(_PROBE.decode())]:
                self.template = FrameTemplate(head, tail, kind)
                return
