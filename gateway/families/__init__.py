"""How each model family marks its reasoning. One table, FAMILIES; the most specific name wins.

To add a family: one row in the table. Its contract tests come with it.
"""

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import lru_cache

from gateway.config import Config, ModelConfig
from gateway.errors import ConfigError
from gateway.families.splitter import Exit, Gate, Grammar, Kind, Segment, Splitter, State, Text

__all__ = ["FAMILIES", "Block", "Families", "Family", "Kind", "Segment", "Splitter"]


@dataclass(frozen=True, slots=True)
class Block:
    """A block of reasoning: any of the end markers closes what any start marker opened."""

    start: tuple[str, ...]
    end: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """The markers of one model family and what they mean."""

    name: str
    models: tuple[str, ...]
    """Globs over the model's name in lower case, without its path."""
    blocks: tuple[Block, ...]
    starts_inside: bool = False
    """The chat template has already opened the first block."""
    spoken: bool = False
    """The markers are phrases of the text itself, so they stay in it; there is one block."""

    def splitter(self, starts_inside: bool | None = None) -> Splitter:
        """A splitter for one text; `starts_inside` None stands for the family's own rule."""
        return Splitter(
            _grammar(self, self.starts_inside if starts_inside is None else starts_inside)
        )


def _tag(name: str) -> Block:
    return Block((f"<{name}>",), (f"</{name}>",))


_THINK = _tag("think")
_BRACKETS = Block(("[THINK]",), ("[/THINK]",))

FAMILIES = (
    Family("tags", ("*",), (_THINK, _tag("thinking"), _tag("reasoning"), _BRACKETS)),
    Family("think", ("qwen3*", "glm-4.5*", "glm-4.6*", "magistral*2506*"), (_THINK,)),
    Family(
        "think-opened",
        ("deepseek-r1*", "deepseek-v3.[12]*", "qwq*", "qwen3*thinking*", "glm-4.7*", "glm-5*"),
        (_THINK,),
        starts_inside=True,
    ),
    Family("magistral", ("magistral*",), (_BRACKETS,)),
    # For models that were told to think aloud in plain words. No model is known to do it by itself,
    # so this family is chosen by a [[models]] entry; the mock's model shows what it does.
    Family(
        "natural",
        ("mock-natural*",),
        (
            Block(
                (
                    "Let me think",
                    "Let's think",
                    "Let me analyze",
                    "Let's analyze",
                    "Let me break",
                    "Let's break",
                    "Let me consider",
                    "Let's consider",
                    "Let me reason",
                    "Let's reason",
                    "Let me work",
                    "Let's work",
                    "I need to think",
                    "Thinking step by step",
                ),
                (
                    "Therefore,",
                    "In conclusion,",
                    "To conclude,",
                    "In summary,",
                    "The answer is",
                    "The final answer is",
                    "Final answer:",
                ),
            ),
        ),
        spoken=True,
    ),
)


@lru_cache(maxsize=256)
def _grammar(family: Family, inside: bool) -> Grammar:
    """The family's markers as a table of states."""
    keep = family.spoken
    states: dict[str, State] = {"answer": Text(Kind.ANSWER, {})}
    opens: dict[str, Exit] = {}
    closes: dict[str, Exit] = {}
    for number, block in enumerate(family.blocks):
        # A phrase counts where a word begins; blocks of tags may follow each other at the head.
        ends = [space + end for end in block.end for space in " \n"] if keep else block.end
        exits = {end: Exit("answer" if keep else "head", keep) for end in ends}
        states[f"reasoning {number}"] = Text(Kind.REASONING, exits)
        opens |= {start: Exit(f"reasoning {number}", keep) for start in block.start}
        closes |= exits
    states["head"] = Gate(opens, otherwise=Exit("answer"))
    if not inside:
        return Grammar(states, "head")
    states["opened"] = Text(Kind.REASONING, closes)
    states["opened head"] = Gate(opens, otherwise=Exit("opened"))
    return Grammar(states, "opened head", opened=True)


class Families:
    """Finds a model's family: the operator's entries first, then the table."""

    def __init__(self, config: Config) -> None:
        """Raises ConfigError when a [[models]] entry names a family that is not known."""
        self._own = [(entry.match.lower(), _own_family(entry)) for entry in config.models]
        self._marked: tuple[Block, ...] | None = None
        if config.reasoning_start and config.reasoning_end:
            self._marked = (Block((config.reasoning_start,), (config.reasoning_end,)),)

    def find(self, model: str) -> Family:
        """The family of a model by any of its names: with a path, a size or a tag, in any case."""
        family = self._named(model.lower())
        if self._marked is None:
            return family
        return replace(family, name="configured", blocks=self._marked, spoken=False)

    def _named(self, model: str) -> Family:
        name = model.rpartition("/")[2]
        for glob, family in self._own:
            if fnmatchcase(model, glob) or fnmatchcase(name, glob):
                return family
        return max(
            (
                (_specificity(glob), family)
                for family in FAMILIES
                for glob in family.models
                if fnmatchcase(name, glob)
            ),
            key=lambda match: match[0],
        )[1]


def _specificity(glob: str) -> int:
    return len(glob) - glob.count("*")


def _own_family(entry: ModelConfig) -> Family:
    known = {family.name: family for family in FAMILIES}
    if entry.family not in known:
        raise ConfigError(
            f"models: family {entry.family!r} of {entry.match!r} is not known; "
            f"choose one of {', '.join(known)}."
        )
    family = known[entry.family]
    if entry.start and entry.end:
        family = replace(family, blocks=(Block(entry.start, entry.end),))
    if entry.starts_inside is not None:
        family = replace(family, starts_inside=entry.starts_inside)
    return family
