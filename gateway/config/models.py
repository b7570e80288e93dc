"""The `[[models]]` tables: how models mark their reasoning, and how long they may think."""

from fnmatch import fnmatchcase

import msgspec

from gateway.config.values import Count, Markers, plain_name
from gateway.errors import ConfigError


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[models]]` table; it applies to every model that matches."""

    match: str
    """A glob over the model's name; case is ignored."""
    family: str | None = None
    """A family's name; `tags` for your own markers. None: recognized by the model's name."""
    start: Markers | None = None
    end: Markers | None = None
    starts_inside: bool | None = None
    """The chat template has already opened the reasoning. None: as the family says."""
    thinking_budget: Count | None = None
    """Tokens that the model may think, unless a request says otherwise; None: no limit."""
    summarizer: str | None = None
    """The summarizer for this model; None: SUMMARIZER."""

    def __post_init__(self) -> None:
        if (self.start is None) != (self.end is None):
            given, missing = ("end", "start") if self.start is None else ("start", "end")
            raise ConfigError(f"{missing} is missing; the two go together", setting=given)
        if not self.sets_markers and self.summarizer is None and self.thinking_budget is None:
            raise ConfigError(
                f"the table for {self.match!r} sets nothing: give family, start and end, "
                "starts_inside, thinking_budget or summarizer"
            )

    @property
    def sets_markers(self) -> bool:
        """Whether the table tells how the reasoning is marked; it may set only other things."""
        return not (self.family is None and self.start is None and self.starts_inside is None)

    def matches(self, model: str) -> bool:
        """Whether it applies to a model, by its full or its plain name."""
        glob = self.match.lower()
        return any(fnmatchcase(name, glob) for name in (model.lower(), plain_name(model)))
