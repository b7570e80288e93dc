"""The content beside reasoning that the server labels. Pure.

Such content is the answer. But some servers repeat the reasoning in it, between tags, as llama.cpp
does with `--reasoning-format deepseek-legacy`, and some leave a second block of thoughts there. So
a block at the head of the content is reasoning, and what is in both places is shown once.
"""

import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from gateway.core.families import Segment, SegmentKind, Splitter

_WORD = re.compile(r"\S+")
_SURE_CHARS = 200
"""After so much of the same text, one place repeats the other, even if they differ later."""

Place = Literal["field", "content"]


class LabelledContent:
    """Splits the content, and shows once what is in the labelled reasoning too."""

    def __init__(self, splitter: Splitter, shown: Callable[[], str]) -> None:
        """splitter: of the content, which it may have read in part. shown: returns the reasoning
        so far."""
        self.splitter = splitter
        self._shown = shown
        self._head: list[str] | None = None if splitter.saw_start else []
        """The content, as long as it is a block at the head."""
        self._other: list[str] = []
        """What is in that block and not in the labelled reasoning."""
        self._both: ReasoningInBoth | None = None
        if splitter.saw_start:
            self._both = ReasoningInBoth("content", shown())

    @property
    def compares(self) -> bool:
        """There is reasoning in both places, so each piece of it has to be looked at."""
        return self._both is not None and not self._both.differ

    def take(self, text: str) -> list[Segment]:
        """Takes the next piece of the content."""
        if self._head is not None:
            self._head.append(text)
        return self._unshown(self.splitter.feed(text))

    def take_labelled(self, text: str) -> str:
        """Takes the next piece of the labelled reasoning. Returns what has not been shown."""
        return text if self._both is None else self._both.take("field", text)

    def close(self, *, stopped: bool) -> list[Segment]:
        """The content has ended. stopped: the model has ended it by itself.

        Then a block without an end was the answer, unless it repeats the labelled reasoning.
        """
        segments = self._unshown(self.splitter.close(unmarked_is_answer=False))
        if self._other and stopped and self.splitter.is_in_reasoning:
            segments.append(Segment(SegmentKind.ANSWER, "".join(self._head or ())))
        else:
            segments += self._take_other()
        self._head = None
        return segments

    def _take_other(self) -> list[Segment]:
        text, self._other = "".join(self._other), []
        return [Segment(SegmentKind.REASONING, text)] if text else []

    def _unshown(self, segments: Sequence[Segment]) -> list[Segment]:
        found: list[Segment] = []
        for kind, text in segments:
            if kind is SegmentKind.REASONING:
                if self._both is None:
                    self._both = ReasoningInBoth("field", self._shown())
                text = self._both.take("content", text)
                if self._both.differ and self._head is not None:
                    self._other.append(text)
                    continue
            else:
                found += self._take_other()
                self._head = None
            if text:
                found.append(Segment(kind, text))
        return found


class ReasoningInBoth:
    """Reasoning that comes in two places, and is shown where it comes first.

    White space does not count: tags have other newlines beside them than fields.
    """

    def __init__(self, first: Place, shown: str) -> None:
        """first: where what is shown so far has come."""
        self._leader = first
        self._ahead = deque(_WORD.findall(shown))
        """What the leader has said and the other place has not."""
        self._at = 0
        """Where in the first of these texts the other place is."""
        self._ends_in_space = shown[-1:].isspace()
        """What is shown so far does."""
        self._repeated: str | None = ""
        """What the other place has repeated, until it is enough to be sure that it does."""
        self.differ = False
        """The two are different texts, so both are shown."""

    def take(self, place: Place, text: str) -> str:
        """Takes the next piece in one place. Returns what has not been shown."""
        if self.differ:
            return text
        if place == self._leader:
            return self._lead(text)
        end = 0
        for word in _WORD.finditer(text):
            if same := self._repeat(word.group()):
                end = word.start() + same
            if same == len(word.group()):
                continue
            if self._ahead:
                self.differ = True
                return text[end:] if self._repeated is None else self._repeated + text
            self._leader, self._repeated = place, ""
            return self._lead(text[end:].lstrip() if self._ends_in_space else text[end:])
        if self._repeated is not None:
            repeated = self._repeated + text
            self._repeated = repeated if len(repeated) <= _SURE_CHARS else None
        return ""

    def _lead(self, text: str) -> str:
        self._ahead.extend(_WORD.findall(text))
        self._ends_in_space = text[-1:].isspace()
        return text

    def _repeat(self, word: str) -> int:
        """Returns how much of a word the leader has said, and goes on behind that."""
        done = 0
        while self._ahead and done < len(word):
            said = self._ahead[0]
            size = min(len(said) - self._at, len(word) - done)
            if said[self._at : self._at + size] != word[done : done + size]:
                break
            done += size
            self._at += size
            if self._at == len(said):
                self._ahead.popleft()
                self._at = 0
        return done
