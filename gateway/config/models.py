"""What the operator says of models: `[[models]]`."""

from fnmatch import fnmatchcase

import msgspec

from gateway.config.values import Markers, plain_name


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[models]]` table: how the models that match mark their reasoning."""

    match: str
    """A glob over the model's name, in any case."""
    family: str | None = None
    """A known family's name; `tags` for markers of your own. None: the one that its name tells."""
    start: Markers | None = None
    end: Markers | None = None
    starts_inside: bool | None = None
    """The chat template has already opened the reasoning; None: the family's own rule."""
    summarizer: str | None = None
    """Who sums up its reasoning; None: SUMMARIZER."""

    def __post_init__(self) -> None:
        if (self.start is None) != (self.end is None):
            raise ValueError("start and end go together")

    @property
    def marks(self) -> bool:
        """It says something of how the reasoning is marked."""
        return not (self.family is None and self.start is None and self.starts_inside is None)

    def matches(self, model: str) -> bool:
        """Does it speak of this model, by any of its names?"""
        glob = self.match.lower()
        return any(fnmatchcase(name, glob) for name in (model.lower(), plain_name(model)))
