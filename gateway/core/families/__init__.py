"""How each model family marks its reasoning. One table, FAMILIES; the most specific name wins."""

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from gateway.config import Config, ModelConfig, plain_name
from gateway.core.families.family import Block, Family
from gateway.core.families.splitter import ALL_PLAIN, Kind, Plain, Segment, Splitter
from gateway.core.families.table import FAMILIES
from gateway.errors import ConfigError

__all__ = [
    "ALL_PLAIN",
    "FAMILIES",
    "Block",
    "Families",
    "Family",
    "Kind",
    "Plain",
    "Segment",
    "Splitter",
    "thinking_is_off",
]

MAX_LEARNED = 1000
_MAX_FOUND = 1000
_MAX_FOUND_CHARS = 200
"""So many names are remembered, of at most so many characters."""


class Families:
    """Finds a model's family: the operator's entries first, then the table."""

    def __init__(self, config: Config) -> None:
        """Raises ConfigError when a [[models]] entry names a family that is not known."""
        self._own = [(entry, _own_family(entry)) for entry in config.models if entry.sets_markers]
        self._marked: tuple[Block, ...] | None = None
        if config.reasoning_start and config.reasoning_end:
            self._marked = (Block((config.reasoning_start,), (config.reasoning_end,)),)
        self._learned: dict[tuple[str, str], bool] = {}
        self._found = lru_cache(_MAX_FOUND)(self._named)

    def find(self, model: str) -> Family:
        """The family of a model by any of its names: with a path, a size or a tag, in any case."""
        find = self._found if len(model) <= _MAX_FOUND_CHARS else self._named
        return find(model)

    def splitter(
        self, upstream: str, model: str, body: Mapping[str, Any], starts_inside: bool | None
    ) -> Splitter:
        """A splitter for one answer.

        Whether it begins inside the reasoning is, in this order: what the request says
        (`starts_inside`), no if the request turns thinking off, what was learned of this model on
        this upstream, the family's own rule.
        """
        if starts_inside is None and thinking_is_off(body):
            starts_inside = False
        if starts_inside is None and (upstream, model) in self._learned:
            starts_inside = True
        return self.find(model).splitter(starts_inside)

    def learn_that_it_starts_inside(self, upstream: str, model: str) -> bool:
        """Remembers what a lone end marker has shown; False if it was known."""
        if (upstream, model) in self._learned:
            return False
        if len(self._learned) >= MAX_LEARNED:
            self._learned.pop(next(iter(self._learned)))
        self._learned[upstream, model] = True
        return True

    def _named(self, model: str) -> Family:
        family = self._listed(model)
        if self._marked is None:
            return family
        return Family("configured", (), self._marked, starts_inside=family.starts_inside)

    def _listed(self, model: str) -> Family:
        for entry, family in self._own:
            if entry.matches(model):
                return family
        name = plain_name(model)
        found = [
            (len(glob.replace("*", "")), family)
            for family in FAMILIES
            for glob in family.models
            if fnmatchcase(name, glob)
        ]
        return max(found, key=lambda match: match[0])[1]


def thinking_is_off(body: Mapping[str, Any]) -> bool:
    """Does a request turn thinking off, in any of the ways that servers know?"""
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


def _own_family(entry: ModelConfig) -> Family:
    known = {family.name: family for family in FAMILIES}
    name = entry.family or "tags"
    if name not in known:
        raise ConfigError(
            f"models: family {name!r} of {entry.match!r} is not known; "
            f"choose one of {', '.join(known)}."
        )
    family = known[name]
    if entry.start and entry.end:
        family = Family(family.name, (), (Block(entry.start, entry.end),), spoken=family.spoken)
    if entry.starts_inside is not None:
        family = replace(family, starts_inside=entry.starts_inside)
    return family
