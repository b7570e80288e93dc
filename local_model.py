"""A real model through transformers, for `python mock_upstream.py --model PATH_OR_NAME`.

It needs `requirements-local.txt`. The model runs one token at a time, whenever the reader wants the
next one: a slow client slows it down, and one that leaves stops it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

THINK = """\
First think, then answer. Think step by step between <think> and </think>, and write the answer \
below. Always use this form:

<think>
What is asked? What do I know? …
</think>

The answer."""
"""Asks for the <think> block that a chat template knows nothing of, as small models need it."""

DEFAULT_MAX_TOKENS = 2048
BROKEN = "\N{REPLACEMENT CHARACTER}"
OPENING = "<think>"

Run = Callable[[Callable[..., Any], tuple[Any, ...]], Any]
"""Calls a function with these arguments, somewhere where it holds nobody up."""


Sampling = tuple[float | None, float | None, int | None]
"""Temperature, top_p and seed; what is None is the model's own choice."""


class Piece(NamedTuple):
    """What one token has added to the text; the last one has the reason of the end."""

    text: str
    tokens: int = 1
    finish_reason: str | None = None


class LocalModel:
    """A causal language model with its tokenizer."""

    def __init__(self, path: str) -> None:
        """Loads a folder, or a name that the hub's cache knows. Raises OSError or ValueError."""
        self.name = Path(path).resolve().name if Path(path).exists() else path
        self._tokenizer = AutoTokenizer.from_pretrained(path)
        self._model = AutoModelForCausalLM.from_pretrained(path, dtype="auto").eval()
        config = self._model.generation_config
        ends = config.eos_token_id
        self._ends = set(ends if isinstance(ends, list) else [ends])
        self._temperature = float(config.temperature or 1.0) if config.do_sample else 0.0
        self._top_p = float(config.top_p or 1.0)
        self.room = int(self._model.config.max_position_embeddings)
        """Tokens that prompt and answer may have together."""

    def read(self, messages: list[dict[str, str]]) -> tuple[list[int], str]:
        """The tokens of the prompt, and the opening of the answer that its template has written."""
        template = self._tokenizer.chat_template
        if not template:
            turns = [f"{message['role']}: {message['content']}" for message in asked(messages)]
            return self._tokenizer.encode("\n".join([*turns, "assistant:"])), ""
        told = messages if OPENING in template else asked(messages)
        text = self._tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=True)
        _, opening, after = text.rpartition(OPENING)
        opened = opening + after if opening and not after.strip() else ""
        return self._tokenizer.encode(text, add_special_tokens=False), opened

    def say(
        self, prompt: list[int], most: int | None, sampling: Sampling, run: Run
    ) -> Iterator[Piece]:
        """The answer to a prompt, of at most so many tokens."""
        choose = self._chooser(sampling)
        reader = Reader(self._tokenizer)
        tokens, cache = prompt, None
        for _ in range(min(most or DEFAULT_MAX_TOKENS, self.room - len(prompt))):
            logits, cache = run(self._step, (tokens, cache))
            token = choose(logits)
            if token in self._ends:
                yield Piece(reader.rest(), 0, "stop")
                return
            tokens = [token]
            yield Piece(reader.add(token))
        yield Piece(reader.rest(), 0, "length")

    def _step(self, tokens: list[int], cache: Any) -> tuple[Any, Any]:
        with torch.inference_mode():
            out = self._model(torch.tensor([tokens]), past_key_values=cache, use_cache=True)
        return out.logits[0, -1].float(), out.past_key_values

    def _chooser(self, sampling: Sampling) -> Callable[[Any], int]:
        temperature, top_p, seed = sampling
        heat = self._temperature if temperature is None else temperature
        if heat == 0:
            return lambda logits: int(logits.argmax())
        share = self._top_p if top_p is None else top_p
        dice = torch.Generator()
        dice.manual_seed(dice.seed() if seed is None else seed)

        def choose(logits: Any) -> int:
            weights, tokens = torch.softmax(logits / heat, 0).sort(descending=True)
            weights[weights.cumsum(0) - weights >= share] = 0
            return int(tokens[torch.multinomial(weights, 1, generator=dice)])

        return choose


class Reader:
    """Tokens to text: holds back what may be the first bytes of a character."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._said = ""

    def add(self, token: int) -> str:
        """Takes a token; gives the text that is certain now."""
        self._tokens.append(token)
        text = self._decode()
        return "" if text.endswith(BROKEN) else self._new(text)

    def rest(self) -> str:
        """What was held back, when nothing more comes."""
        return self._new(self._decode())

    def _decode(self) -> str:
        text: str = self._tokenizer.decode(self._tokens, skip_special_tokens=False)
        return text

    def _new(self, text: str) -> str:
        """The text beyond what was said. At a line's end the tokens before it are let go."""
        new = text[len(self._said) :]
        self._said = text
        if new.endswith("\n"):
            self._tokens, self._said = [], ""
        return new


def asked(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """The messages with the request to think in the system message, which comes first."""
    first, *others = messages
    if first["role"] == "system":
        return [{"role": "system", "content": f"{first['content']}\n\n{THINK}"}, *others]
    return [{"role": "system", "content": THINK}, *messages]
