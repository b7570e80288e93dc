"""Splits a text into sentences while it is being written.

A sentence ends at the end of a line, at a full stop before a new sentence, and at the full stops of
scripts that put no space after them; in Thai, Lao, Burmese and Khmer at a space. It does not end
inside a formula or code, and has at most MAX_CHARS characters. Every decision looks at most _AHEAD
characters ahead, so the pieces in which a text arrives do not matter.
"""

import re
from typing import NamedTuple

MAX_CHARS = 1500
"""A text without sentence ends is cut here: the buffer stays bounded."""
FENCES = ("```", "~~~")
_CLOSERS = "\"')]*_”’»」』）】"
_SPACED = ".!?…؟۔।॥։።።፧"
_UNSPACED = "。！？；"
_GOES_ON = "，、；：,;:"
"""Marks after which a sentence goes on behind a quoted question."""
_MAX_CLOSERS = 6
_MAX_SPACES = 8
_AHEAD = _MAX_CLOSERS + _MAX_SPACES + 2

_NO_SPACES = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Thai, Lao, Burmese and Khmer: a space stands between clauses and sentences, not words."""
_CLAUSE_CHARS = 60
"""From this length on, such a space ends a sentence."""
_END = re.compile(rf"[\n{_SPACED}{_UNSPACED}]")
_ANY_END = re.compile(rf"[\n{_SPACED}{_UNSPACED}]|(?<=[{_NO_SPACES}]) ")
"""Slower; ASCII has no need of it."""
_NOT_AN_END = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|approx|ca|Dr|Mr|Mrs|Ms|Prof|St|No|Fig|Eq|Sec|Jr|Inc)"
    r"|\b[A-Z]|^[\s*_>-]*\(?\d{1,3})\.$"
)
_SHOWN = 12
"""How far back from a full stop _NOT_AN_END has to look."""


class Sentence(NamedTuple):
    """One sentence or line as it was written, with the marks before it."""

    text: str
    begins_line: bool
    begins_paragraph: bool
    ends_line: bool
    in_code: bool
    """A line of a fenced block, or the fence itself."""


class SentenceSplitter:
    """Takes a text in pieces and returns its sentences as they are finished."""

    def __init__(self) -> None:
        self._buffer = ""
        self._seen = 0
        self._newlines = 2
        self._in_code = False

    def feed(self, text: str) -> list[Sentence]:
        """The sentences that this piece finishes."""
        all_seen = self._seen == len(self._buffer)
        self._buffer += text
        ends = _END if self._buffer.isascii() else _ANY_END
        if (
            all_seen
            and len(self._buffer) <= MAX_CHARS
            and not ends.search(self._buffer, self._seen)
        ):
            self._seen = len(self._buffer)  # as after nearly every token
            return []
        found: list[Sentence] = []
        start = 0
        while (end := self._find_end(start)) is not None:
            at, following = end
            self._add(found, start, at, following)
            start = following
        self._buffer = self._buffer[start:]
        self._seen = max(0, self._seen - start)
        return found

    def close(self) -> list[Sentence]:
        """The text is over: what is left is a sentence."""
        found = self.feed("\n" if self._buffer else "")
        while self._buffer:
            end = min(len(self._buffer), MAX_CHARS)
            self._add(found, 0, end, end)
            self._buffer = self._buffer[end:]
        return found

    def _add(self, found: list[Sentence], start: int, at: int, following: int) -> None:
        text = self._buffer[start:at]
        ends_line = self._buffer[following - 1 : following] == "\n"
        if text and not text.isspace():
            begins, self._newlines = self._newlines, 0
            is_fence = begins > 0 and text.lstrip().startswith(FENCES)
            in_code = self._in_code or is_fence
            self._in_code ^= is_fence
            found.append(Sentence(text, begins > 0, begins > 1, ends_line, in_code))
        if ends_line:
            self._newlines += 1

    def _find_end(self, start: int) -> tuple[int, int] | None:
        """The end of the sentence that begins at `start` and the beginning of the next."""
        buffer = self._buffer
        look_from = max(start, self._seen)
        ends = _END if buffer.isascii() else _ANY_END
        for match in ends.finditer(buffer, look_from, start + MAX_CHARS + 1):
            at = match.start()
            end = self._ends_at(start, at)
            if end is None:
                self._seen = at
                return self._forced(start)
            if end[1]:
                self._seen = end[1]
                return end
        self._seen = min(len(buffer), start + MAX_CHARS + 1)
        return self._forced(start)

    def _forced(self, start: int) -> tuple[int, int] | None:
        if len(self._buffer) - start <= MAX_CHARS + _AHEAD:
            return None
        space = self._buffer.rfind(" ", start + MAX_CHARS // 2, start + MAX_CHARS)
        at = space + 1 if space > 0 else start + MAX_CHARS
        self._seen = at
        return at, at

    def _ends_at(self, start: int, at: int) -> tuple[int, int] | None:
        """(end, next) if the mark at `at` ends the sentence, (at, 0) if not; None: unknown yet."""
        buffer = self._buffer
        mark = buffer[at]
        if self._in_code or buffer.startswith(FENCES, start):
            return (at, at + 1) if mark == "\n" else (at, 0)
        if mark == "\n":
            return (at, at + 1) if _is_closed(buffer[start:at], line=True) else (at, 0)
        if mark == " ":
            ends = at - start >= _CLAUSE_CHARS and _is_closed(buffer[start:at], line=False)
            return (at, at + 1) if ends else (at, 0)
        after = at + 1
        stop = min(len(buffer), after + _MAX_CLOSERS)
        while after < stop and buffer[after] in _CLOSERS:
            after += 1
        if after == len(buffer):
            return None
        if mark in _UNSPACED:
            asked_in_quotes = mark in "！？" and after > at + 1
            if asked_in_quotes or buffer[after] in _GOES_ON:
                return at, 0
            return (after, after) if _is_closed(buffer[start:after], line=False) else (at, 0)
        if buffer[after] == "\n":
            return at, 0
        following = after
        if not buffer[after].isspace():
            after = following = self._heading_at(start, at, after)
            if not after:
                return at, 0
        stop = min(len(buffer), after + _MAX_SPACES)
        while following < stop and buffer[following] in " \t\u00a0":
            following += 1
        if following == len(buffer):
            return None
        goes_on = buffer[following].islower() or (
            mark == "." and _NOT_AN_END.search(buffer[max(start, at - _SHOWN) : at + 1])
        )
        if goes_on or not _is_closed(buffer[start:after], line=False):
            return at, 0
        return after, following

    def _heading_at(self, start: int, at: int, following: int) -> int:
        """Where the ** of a heading before `following` begins, joined to a mark; 0 if none does."""
        buffer, opens = self._buffer, following - 2
        if opens <= at or not buffer.startswith("**", opens) or buffer[opens - 1] in "*_":
            return 0
        is_open = buffer.count("**", start, at) % 2
        return 0 if is_open or not buffer[following].isupper() else opens


def _is_closed(text: str, *, line: bool) -> bool:
    """Whether no formula or code is open at its end; at a line's end only displays count."""
    if text.count("$$") % 2 or text.count("\\[") > text.count("\\]"):
        return False
    return line or (text.count("`") % 2 == 0 and text.count("\\(") <= text.count("\\)"))


def sentences(text: str) -> list[str]:
    """The sentences of a whole text, stripped."""
    splitter = SentenceSplitter()
    return [s.text.strip() for s in [*splitter.feed(text), *splitter.close()]]
