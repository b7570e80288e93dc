"""Which summarizer a request gets."""

from gateway.config import Config
from gateway.core.summarizers.base import Summarizer
from gateway.core.summarizers.prompt import Prompt
from gateway.errors import BadRequest, ConfigError

OFF = "off"
"""No summary of the reasoning."""
MODEL = "model"
"""The summarizer that has a model write."""


class Summarizers:
    """The summarizers on offer. The request chooses, then the model's entry, then SUMMARIZER."""

    def __init__(self, config: Config, table: dict[str, type[Summarizer]]) -> None:
        """Raises ConfigError when a setting or a [[models]] entry names an unknown one."""
        self._table = table
        self._default = config.summarizer
        self._models = [entry for entry in config.models if entry.summarizer is not None]
        self.offered: tuple[str, ...] = (*table, OFF)
        """The names that a setting may have."""
        tables = enumerate(config.models)
        named = [
            ("SUMMARIZER", config.summarizer),
            *((f"models[{index}].summarizer", entry.summarizer) for index, entry in tables),
        ]
        for setting, name in named:
            if name is not None and name not in self.offered:
                what = f"{name!r} is not one of {', '.join(self.offered)}"
                raise ConfigError(what, setting=setting)
        calls_models = config.summarizer_url or any(name == MODEL for _, name in named)
        may_be_asked = tuple(name for name in self.offered if name != MODEL or calls_models)
        self.per_request = may_be_asked if config.summarizer_per_request else ()
        """The names that a request may have: the operator decides whether models are called."""

    def name(self, model: str, asked: str | None) -> str:
        """Returns the summarizer's name for a request to a model.

        asked: the name in the request, if any. Raises BadRequest if it is not on offer.
        """
        if asked is not None:
            return self._allowed(asked)
        for entry in self._models:
            if entry.matches(model):
                return str(entry.summarizer)
        return self._default

    def make(self, name: str | None, prompt: Prompt, budget_words: int) -> Summarizer:
        """Returns a summarizer for one answer; for `off` one that is never fed."""
        kind = self._table.get(name or "", next(iter(self._table.values())))
        summarizer = kind(prompt.text, budget_words)
        summarizer.leave_out(prompt.instructions)
        return summarizer

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
