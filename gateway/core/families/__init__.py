"""How each model family marks its reasoning. The families are rows of one table, FAMILIES.

:class:`Families` finds the family of a model and makes a splitter for its answer.
"""

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from gateway.config import Config, ModelConfig, plain_name
from gateway.core.families.family import Block, Family
from gateway.core.families.splitter import ANY_TEXT, MarkerFree, Segment, SegmentKind, Splitter
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
    "thinking_is_off",
]

_MAX_STARTS_INSIDE = 1000
"""Models that are remembered to start inside their reasoning; a new one replaces the oldest."""
_MAX_CACHED = 1000
_MAX_CACHED_CHARS = 200
"""Longer names are looked up each time: clients choose them, and they would fill the cache."""


class Families:
    """Finds a model's family: first in the operator's [[models]] entries, then in the table."""

    def __init__(self, config: Config) -> None:
        """Raises ConfigError if a [[models]] entry names an unknown family."""
        self._configured = [
            (entry, _family_of(entry)) for entry in config.models if entry.sets_markers
        ]
        self._global_blocks: tuple[Block, ...] | None = None
        if config.reasoning_start and config.reasoning_end:
            self._global_blocks = (Block((config.reasoning_start,), (config.reasoning_end,)),)
        self._models_starting_inside: dict[tuple[str, str], None] = {}  # in order of insertion
        self._find_cached = lru_cache(_MAX_CACHED)(self._find)

    def find(self, model: str) -> Family:
        """The family of a model. Any form of its name will do: with a path, a size, a tag."""
        find = self._find_cached if len(model) <= _MAX_CACHED_CHARS else self._find
        return find(model)

    def splitter(
        self, upstream: str, model: str, body: Mapping[str, Any], starts_inside: bool | None
    ) -> Splitter:
        """A splitter for one answer.

        The first of these that applies decides whether the text begins inside the reasoning:

        1. the client's own option, `starts_inside`;
        2. a request that turns thinking off: no;
        3. an earlier answer of this model on this upstream (:meth:`remember_starts_inside`): yes;
        4. the family's default.
        """
        if starts_inside is None and thinking_is_off(body):
            starts_inside = False
        if starts_inside is None and (upstream, model) in self._models_starting_inside:
            starts_inside = True
        return self.find(model).splitter(starts_inside)

    def remember_starts_inside(self, upstream: str, model: str) -> bool:
        """Remembers that a model on an upstream starts inside its reasoning; True if that is new.

        The evidence is an end marker without a start, see `Splitter.saw_unopened_end`.
        """
        if (upstream, model) in self._models_starting_inside:
            return False
        if len(self._models_starting_inside) >= _MAX_STARTS_INSIDE:
            self._models_starting_inside.pop(next(iter(self._models_starting_inside)))
        self._models_starting_inside[upstream, model] = None
        return True

    def _find(self, model: str) -> Family:
        family = self._find_listed(model)
        if self._global_blocks is None:
            return family
        return Family("configured", (), self._global_blocks, starts_inside=family.starts_inside)

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


def thinking_is_off(body: Mapping[str, Any]) -> bool:
    """Whether a request turns thinking off, in any of the ways that servers know."""
    template = body.get("chat_template_kwargs")
    template = template if isinstance(template, Mapping) else {}
    reasoning = body.get("reasoning")
    thinking = body.get("thinking")
    return (
        template.get("enable_thinking") is False
        or template.get("thinking") is False
        or body.get("reasoning_effort") == "none"
        or body.get("think") is False
        or (isinstance(reasoning, Mapping) and reasoning.get("enabled") is False)
        or (isinstance(thinking, Mapping) and thinking.get("type") == "disabled")
    )


def _family_of(entry: ModelConfig) -> Family:
    known = {family.name: family for family in FAMILIES}
    name = entry.family or "tags"
    if name not in known:
        raise ConfigError(
            f"models: family {name!r} of {entry.match!r} is not known; "
            f"choose one of {', '.join(known)}."
        )
    family = known[name]
    if entry.start and entry.end:
        family = Family(family.name, (), (Block(entry.start, entry.end),), phrases=family.phrases)
    if entry.starts_inside is not None:
        family = replace(family, starts_inside=entry.starts_inside)
    return family
