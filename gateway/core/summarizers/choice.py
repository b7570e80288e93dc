"""Who sums up the reasoning of a request."""

from gateway.config import Config
from gateway.core.summarizers.base import Summarizer
from gateway.errors import BadRequest, ConfigError

OFF = "off"
"""Nobody."""
MODEL = "model"
"""The one that needs a model, and so SUMMARIZER_URL."""


class Summarizers:
    """Chooses by request, by model, by setting, in this order."""

    def __init__(self, config: Config, table: dict[str, type[Summarizer]]) -> None:
        """Raises ConfigError when a setting or a [[models]] entry names one that is not known."""
        self._table = table
        self._default = config.summarizer
        self._models = [entry for entry in config.models if entry.summarizer is not None]
        self.offered: tuple[str, ...] = (
            *(name for name in table if name != MODEL or config.summarizer_url),
            OFF,
        )
        """What a setting may name."""
        self.per_request = self.offered if config.summarizer_per_request else ()
        """What a request may name."""
        for name in (self._default, *(entry.summarizer for entry in self._models)):
            if name == MODEL and MODEL not in self.offered:
                raise ConfigError("SUMMARIZER: model needs SUMMARIZER_URL and SUMMARIZER_MODEL.")
            if name not in self.offered:
                raise ConfigError(
                    f"SUMMARIZER: {name!r} is not known; choose one of {', '.join(self.offered)}."
                )

    def name(self, model: str, asked: str | None) -> str:
        """The name of the summarizer for an answer of a model. Raises BadRequest."""
        if asked is not None:
            return self._allowed(asked)
        for entry in self._models:
            if entry.matches(model):
                return str(entry.summarizer)
        return self._default

    def make(self, name: str | None, prompt: str, budget_words: int) -> Summarizer:
        """A summarizer for one answer; for nobody's, one that is never asked."""
        return self._table.get(name or "", next(iter(self._table.values())))(prompt, budget_words)

    def _allowed(self, asked: str) -> str:
        if not self.per_request:
            raise BadRequest(
                "The summarizer can't be chosen here (SUMMARIZER_PER_REQUEST).",
                param="gateway.summarizer",
            )
        if asked not in self.per_request:
            raise BadRequest(
                f"gateway.summarizer must be one of {', '.join(self.per_request)}.",
                param="gateway.summarizer",
            )
        return asked
