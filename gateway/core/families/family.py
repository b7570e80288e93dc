"""A model family: its names, its markers, and the grammar that they make."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from gateway.core.families.splitter import (
    Exit,
    Gate,
    Grammar,
    Keep,
    Kind,
    Splitter,
    State,
    Text,
)

_QUOTES = ("```", "`")
"""What stands between these, in an answer, is quoted."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of text: any of the end markers closes what any start marker opened."""

    start: tuple[str, ...]
    end: tuple[str, ...]


def tag(name: str) -> Block:
    """A block between `<name>` and `</name>`."""
    return Block((f"<{name}>",), (f"</{name}>",))


@dataclass(frozen=True, slots=True, eq=False)  # equal by all its fields, it would be slow to find
class Family:
    """One family. What a row leaves out is as for most of them.

    Markers are plain tags unless said otherwise, so they only count where a block of reasoning can
    begin: at the head, and behind another block. Further down they are text, for an answer may
    speak of `<think>`.
    """

    name: str
    models: tuple[str, ...]
    """Globs over the model's name: without its path, in lower case, with "-" for "_"."""
    blocks: tuple[Block, ...] = ()
    """The blocks of reasoning."""
    starts_inside: bool = False
    """The chat template has already opened the first block."""
    tools: tuple[str, ...] = ()
    """What begins a tool call: it ends the reasoning and stays in the text."""
    wrappers: tuple[Block, ...] = ()
    """What may be wrapped around the answer. Without a start: the end alone is taken out."""
    anywhere: bool = False
    """The markers are special tokens and count wherever they stand, as often as they come."""
    preface: bool = False
    """Text may stand before the first block; it belongs to the answer."""
    spoken: bool = False
    """The markers are phrases of the text itself, so they stay in it."""
    note: str = ""
    """What a reader of the table should know."""
    grammar: Callable[["Family", bool], Grammar] | None = None
    """The grammar, for families whose markup is more than blocks."""

    def splitter(self, starts_inside: bool | None = None) -> Splitter:
        """A splitter for one text; `starts_inside` None stands for the family's own rule."""
        inside = self.starts_inside if starts_inside is None else starts_inside
        return Splitter(_grammar(self, inside))


@lru_cache(maxsize=512)
def _grammar(family: Family, inside: bool) -> Grammar:
    build = family.grammar or (_spoken if family.spoken else _blocks)
    return build(family, inside)


def _blocks(family: Family, inside: bool) -> Grammar:
    """Blocks of reasoning, then the answer, perhaps wrapped. The states:

    head, opened head   what opens the text, if anything does
    reasoning N         in block N
    opened              in the block that the template has opened
    between             behind a block: another one, a wrapper, or the answer
    bare, quoted …      an answer with no reasoning before it, and what it quotes
    answer, wrapped N   the answer after a reasoning
    tool call           from a tool's marker on: all text
    """
    opens: dict[str, Exit] = {}
    ends: dict[str, Exit] = {}
    for number, block in enumerate(family.blocks):
        opens |= dict.fromkeys(block.start, Exit(f"reasoning {number}"))
        ends |= dict.fromkeys(block.end, Exit("between"))
    closings: dict[str, Exit] = {}
    for number, wrapper in enumerate(family.wrappers):
        opens |= dict.fromkeys(wrapper.start, Exit(f"wrapped {number}"))
        if not wrapper.start or family.anywhere:
            closings |= dict.fromkeys(wrapper.end, Exit("answer"))
    calls = dict.fromkeys(family.tools, Exit("tool call", Keep.BEHIND))
    lone = dict.fromkeys(ends, Exit("answer", lone=True))
    # A special token is never text: what opens a block ends what was before it, and an end that has
    # no start is dropped.
    tokens = opens | calls if family.anywhere else {}
    strays = dict.fromkeys(ends, Exit("answer")) if family.anywhere else {}

    states: dict[str, State] = {
        "head": Gate(lone | opens, otherwise="bare"),
        "opened head": Gate(opens, otherwise="opened"),
        "opened": Text(Kind.REASONING, tokens | calls | ends),
        "between": Gate(strays | opens, otherwise="answer"),
        "bare": Text(Kind.ANSWER, lone | closings | (tokens or _unquoted(family, opens))),
        "answer": Text(Kind.ANSWER, strays | closings | tokens),
        "tool call": Text(Kind.ANSWER, {}),
    }
    for quote in _QUOTES:
        states[f"quoted {quote}"] = Text(Kind.ANSWER, {quote: Exit("bare", Keep.BEFORE)})
    for number, block in enumerate(family.blocks):
        exits = dict.fromkeys(block.end, Exit("between"))
        states[f"reasoning {number}"] = Text(Kind.REASONING, tokens | calls | exits)
    for number, wrapper in enumerate(family.wrappers):
        after = Exit("between" if family.anywhere else "answer")
        exits = dict.fromkeys(wrapper.end, after)
        states[f"wrapped {number}"] = Text(Kind.ANSWER, tokens | exits)
    if inside:
        return Grammar(states, "opened head", opened=True, unproven=True)
    return Grammar(states, "head")


def _unquoted(family: Family, opens: dict[str, Exit]) -> dict[str, Exit]:
    """What else to look for in a bare answer: a start marker and quotes, which make ends text."""
    quotes = {quote: Exit(f"quoted {quote}", Keep.BEFORE) for quote in _QUOTES}
    literal = dict.fromkeys(opens, Exit("answer", Keep.BEFORE))
    return quotes | (opens if family.preface else literal)


def _spoken(family: Family, inside: bool) -> Grammar:
    """One block between phrases, which stay in the text. An end counts where a word begins."""
    [block] = family.blocks
    ends = {space + end: Exit("answer", Keep.BEHIND) for end in block.end for space in " \n"}
    starts = dict.fromkeys(block.start, Exit("reasoning", Keep.BEHIND))
    states: dict[str, State] = {
        "head": Gate(starts, otherwise="answer"),
        "reasoning": Text(Kind.REASONING, ends),
        "answer": Text(Kind.ANSWER, {}),
    }
    return Grammar(states, "reasoning" if inside else "head", opened=inside, unproven=inside)
