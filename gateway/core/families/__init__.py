"""The markers with which each model family separates reasoning and answer. Table FAMILIES.

The modules, from the data to its use:

    table      FAMILIES: the models and markers of each family
    grammar    what a family's markup is to the splitter: a table of states
    family     builds the grammar from a row of the table (harmony has its own)
    splitter   splits a text, cut anywhere, into reasoning and answer
    evidence   decides what a text without markers is

:class:`Families` finds the family of a model, and :class:`TextReading` reads one of its answers.
"""

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from gateway.config import Config, ModelConfig, nearest, plain_name
from gateway.core.families.evidence import Belief, Observation, Turns, asks_for_json, decide
from gateway.core.families.family import Block, Family
from gateway.core.families.grammar import ANY_TEXT, MarkerFree, Segment, SegmentKind
from gateway.core.families.splitter import Splitter
from gateway.core.families.table import FAMILIES
from gateway.errors import ConfigError

__all__ = [
    "ANY_TEXT",
    "FAMILIES",
    "Block",
    "Families",
    "Family",
    "MarkerFree",
    "Segment",
    "SegmentKind",
    "Splitter",
    "TextReading",
]

_NO_BODY: Mapping[str, Any] = {}
_MAX_CACHED = 1000
_MAX_CACHED_CHARS = 200
"""Longer names are not cached: clients choose the names, and could fill the memory."""


class TextReading:
    """Reads the text of one answer: a splitter, with a belief about text without markers."""

    def __init__(self, family: Family, belief: Belief, *, json_answer: bool = False) -> None:
        self.family = family
        self.belief = belief
        """The kind of a text without markers. Evidence in the answer may change it."""
        self.splitter = family.splitter(belief.starts_inside, json_answer=json_answer)

    def take_label(self) -> list[Segment]:
        """The answer has an empty label. Returns the text so far again if its kind has changed."""
        belief = self.belief.with_label()
        if belief == self.belief or not self.splitter.can_restart:
            return []
        self.belief = belief
        return self.splitter.restart(self.family.grammar_of(starts_inside=False))

    def close(
        self, *, stopped: bool, stop_sequence: str | None, usage: Mapping[str, Any] | None
    ) -> list[Segment]:
        """Ends the text: returns its last segments.

        stopped, stop_sequence, usage: see :meth:`.evidence.Belief.unmarked_is_answer`.
        """
        return self.splitter.close(
            unmarked_is_answer=self._unmarked_is_answer(stopped, stop_sequence, usage)
        )

    def waits_for_usage(self, *, stopped: bool, stop_sequence: str | None) -> bool:
        """Whether the usage, which comes later, may show that the ended text was the answer."""
        splitter = self.splitter
        return splitter.is_unconfirmed and not self._unmarked_is_answer(
            stopped, stop_sequence, None
        )

    def observation(self, *, stopped: bool) -> Observation | None:
        """Returns how the model has marked its reasoning; None: the text is no reliable evidence.

        stopped: the model ended the answer by itself.
        """
        if self.belief.why in ("request", "thinking off", "hidden"):
            return None
        if self.splitter.saw_unopened_end:
            return "unopened end"
        if self.splitter.saw_start:
            return "marked"
        return "unmarked" if stopped else None

    def _unmarked_is_answer(
        self, stopped: bool, stop_sequence: str | None, usage: Mapping[str, Any] | None
    ) -> bool:
        if self.splitter.saw_weak_marker:
            return stopped
        return self.belief.unmarked_is_answer(
            stopped=stopped, stop_sequence=stop_sequence, usage=usage
        )


class Families:
    """Finds the family of a model: first in the operator's [[models]], then in the table."""

    def __init__(self, config: Config) -> None:
        """Raises ConfigError if a [[models]] entry names an unknown family."""
        self._configured = [
            (entry, _family_of(entry, f"models[{index}].family"))
            for index, entry in enumerate(config.models)
            if entry.sets_markers
        ]
        self._global_blocks: tuple[Block, ...] | None = None
        if config.reasoning_start and config.reasoning_end:
            self._global_blocks = (Block((config.reasoning_start,), (config.reasoning_end,)),)
        self.turns = Turns()
        """The observations of earlier turns."""
        self._find_cached = lru_cache(_MAX_CACHED)(self._find)

    def find(self, model: str) -> Family:
        """Returns the family of a model, by any form of its name: with a path, a size, a tag."""
        find = self._find_cached if len(model) <= _MAX_CACHED_CHARS else self._find
        return find(model)

    def reading(
        self,
        upstream: str,
        model: str,
        body: Mapping[str, Any] = _NO_BODY,
        starts_inside: bool | None = None,
    ) -> TextReading:
        """Returns how to read one answer.

        model: its name on the upstream. body: the request. starts_inside: the client's own option.
        """
        belief = self.belief(upstream, model, body, starts_inside)
        return TextReading(self.find(model), belief, json_answer=asks_for_json(body))

    def belief(
        self,
        upstream: str,
        model: str,
        body: Mapping[str, Any] = _NO_BODY,
        starts_inside: bool | None = None,
    ) -> Belief:
        """Returns the kind of a text without markers; :mod:`.evidence` explains the decision."""
        family = self.find(model)
        return decide(
            option=starts_inside,
            body=body,
            shown=self.turns.shown(upstream, model),
            opened=family.starts_inside,
            always=family.thinks_always(plain_name(model)),
        )

    def _find(self, model: str) -> Family:
        family = self._find_listed(model)
        if self._global_blocks is None:
            return family
        return Family(
            "configured",
            (),
            self._global_blocks,
            starts_inside=family.starts_inside,
            always_thinks=family.always_thinks,
        )

    def _find_listed(self, model: str) -> Family:
        for entry, family in self._configured:
            if entry.matches(model):
                return family
        name = plain_name(model)
        matches = [
            (len(glob.replace("*", "")), family)
            for family in FAMILIES
            for glob in family.models
            if fnmatchcase(name, glob)
        ]
        return max(matches, key=lambda match: match[0])[1]


def _family_of(entry: ModelConfig, setting: str) -> Family:
    known = {family.name: family for family in FAMILIES}
    name = entry.family or "tags"
    if name not in known:
        meant = nearest(name, list(known))
        hint = f"; did you mean {meant}?" if meant else f" of {', '.join(known)}"
        raise ConfigError(f"{name!r} is not a family{hint}", setting=setting)
    family = known[name]
    if entry.start and entry.end:
        family = Family(family.name, (), (Block(entry.start, entry.end),), phrases=family.phrases)
    if entry.starts_inside is not None:
        # The operator knows the server, so the entry holds for every answer.
        family = replace(family, starts_inside=entry.starts_inside, always_thinks=("*",))
    return family
