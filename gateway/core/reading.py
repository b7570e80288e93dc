"""What :class:`.turn.Turn` needs to read the answer of one upstream."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from gateway.core.families import TextReading
from gateway.core.parts import Content, Part, Reasoning
from gateway.core.steady import Template
from gateway.core.thoughts import ThoughtStyle


class Reader(Protocol):
    """Reads the lines of an upstream's answer; see gateway.upstreams."""

    @property
    def frames(self) -> int:
        """The frames with a choice that :meth:`feed` has read."""

    @property
    def answer_id(self) -> str:
        """The id that the upstream has given its answer; "" while unknown."""

    @property
    def reasoning_field(self) -> str:
        """The member in which the upstream sends its reasoning; "" while unknown."""

    @property
    def template(self) -> tuple[Template, type[Content] | type[Reasoning]] | None:
        """The frame that the answer repeats, and what its text is; None while unknown."""

    def feed(self, lines: Sequence[bytes]) -> list[Part]: ...
    def close(self) -> list[Part]: ...


class Reading(NamedTuple):
    """How the answer of one upstream is read."""

    reader: Reader
    text: TextReading
    server: str = ""
    """The upstream's host and port."""
    wants_back: ThoughtStyle | None = None
    """What its model wants back of its thoughts in the next turn."""


Source = Callable[[str, str], Reading]
"""Chooses how to read an answer, by the upstream's name and the model's name there."""
