"""The interface through which :class:`.turn.Turn` reads the answer of one upstream."""

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
        """The number of frames with a choice that :meth:`feed` has read."""

    @property
    def answer_id(self) -> str:
        """The id that the upstream has given its answer; "" while unknown."""

    @property
    def reasoning_field(self) -> str:
        """The member in which the upstream sends its reasoning; "" while unknown."""

    @property
    def template(self) -> tuple[Template, type[Content] | type[Reasoning]] | None:
        """The frame that the answer repeats, and the type of its text; None while unknown."""

    def feed(self, lines: Sequence[bytes]) -> list[Part]:
        """Takes the lines of one read, without line ends; returns the parts that they complete."""

    def close(self) -> list[Part]:
        """The body has ended: returns the last parts."""


class Reading(NamedTuple):
    """How the answer of one upstream is read."""

    reader: Reader
    text: TextReading
    server: str = ""
    """The upstream's host and port."""
    wants_back: ThoughtStyle | None = None
    """The form in which the model wants its thoughts back in the next turn; None: not at all."""


Source = Callable[[str, str], Reading]
"""Takes the name of an upstream and the model's name there; returns how to read its answer."""
