"""A real model through transformers, for `python mock_upstream.py --model PATH_OR_NAME`.

It needs `requirements-local.txt`, so it is imported only for that option. It generates a token when
its caller asks for the next piece, so a slow client slows it down, and a client that leaves stops
it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from gateway.mock.local_answer import Piece
from gateway.mock.request import Sampling

THINK_PROMPT = """\
First think, then answer. Think step by step between <think> and </think>, and write the answer \
below. Always use this form:

<think>
What is asked? What do I know? …
</think>

The answer."""
"""Asks a small model for a <think> block when its chat template does not."""

DEFAULT_MAX_TOKENS = 2048
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
START_TAG = "<think>"

RunInThread = Callable[[Callable[..., Any], tuple[Any, ...]], Any]
"""Calls a function with arguments in another thread and returns its result."""


class LocalModel:
    """A causal language model with its tokenizer."""

    def __init__(self, path: str) -> None:
        """Loads a folder, or a name in the hub's cache. Raises OSError or ValueError."""
        self.name = Path(path).resolve().name if Path(path).exists() else path
        self._tokenizer = AutoTokenizer.from_pretrained(path)
        self._model = AutoModelForCausalLM.from_pretrained(path, dtype="auto").eval()
        config = self._model.generation_config
        end_tokens = config.eos_token_id
        self._end_tokens = set(end_tokens if isinstance(end_tokens, list) else [end_tokens])
        self._temperature = float(config.temperature or 1.0) if config.do_sample else 0.0
        self._top_p = float(config.top_p or 1.0)
        self.context_length = int(self._model.config.max_position_embeddings)
        """Limit for the tokens of prompt and answer together."""

    def encode_prompt(self, messages: list[dict[str, str]]) -> tuple[list[int], str]:
        """The prompt's tokens, and the text with which the chat template begins the answer."""
        template = self._tokenizer.chat_template
        if not template:
            turns = [f"{m['role']}: {m['content']}" for m in ask_to_think(messages)]
            return self._tokenizer.encode("\n".join([*turns, "assistant:"])), ""
        if START_TAG not in template:
            messages = ask_to_think(messages)
        text = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        _, tag, after = text.rpartition(START_TAG)
        opening = tag + after if tag and not after.strip() else ""
        return self._tokenizer.encode(text, add_special_tokens=False), opening

    def generate(
        self,
        prompt: list[int],
        max_tokens: int | None,
        sampling: Sampling,
        run_in_thread: RunInThread,
    ) -> Iterator[Piece]:
        """The answer to a prompt, piece by piece; the default for `max_tokens` is 2048."""
        choose = self._chooser(sampling)
        decoder = Decoder(self._tokenizer)
        tokens, cache = prompt, None
        for _ in range(min(max_tokens or DEFAULT_MAX_TOKENS, self.context_length - len(prompt))):
            logits, cache = run_in_thread(self._step, (tokens, cache))
            token = choose(logits)
            if token in self._end_tokens:
                yield Piece(decoder.flush(), 0, "stop")
                return
            tokens = [token]
            yield Piece(decoder.decode(token))
        yield Piece(decoder.flush(), 0, "length")

    def _step(self, tokens: list[int], cache: Any) -> tuple[Any, Any]:
        """The logits of the next token, and the cache with `tokens` added."""
        with torch.inference_mode():
            out = self._model(torch.tensor([tokens]), past_key_values=cache, use_cache=True)
        return out.logits[0, -1].float(), out.past_key_values

    def _chooser(self, sampling: Sampling) -> Callable[[Any], int]:
        """A function that chooses the next token: greedily at temperature 0, else by top-p."""
        temperature = self._temperature if sampling.temperature is None else sampling.temperature
        if temperature == 0:
            return lambda logits: int(logits.argmax())
        top_p = self._top_p if sampling.top_p is None else sampling.top_p
        generator = torch.Generator()
        generator.manual_seed(generator.seed() if sampling.seed is None else sampling.seed)

        def choose(logits: Any) -> int:
            weights, tokens = torch.softmax(logits / temperature, 0).sort(descending=True)
            weights[weights.cumsum(0) - weights >= top_p] = 0
            return int(tokens[torch.multinomial(weights, 1, generator=generator)])

        return choose


class Decoder:
    """Tokens to text; holds back the first bytes of an incomplete character."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._returned = ""

    def decode(self, token: int) -> str:
        """The text that is certain after one more token."""
        self._tokens.append(token)
        text = self._text()
        return "" if text.endswith(REPLACEMENT) else self._new_part(text)

    def flush(self) -> str:
        """The text that was held back, at the end."""
        return self._new_part(self._text())

    def _text(self) -> str:
        text: str = self._tokenizer.decode(self._tokens, skip_special_tokens=False)
        return text

    def _new_part(self, text: str) -> str:
        """The text beyond what was returned. Forgets the tokens at a line's end, to stay fast."""
        new = text[len(self._returned) :]
        self._returned = text
        if new.endswith("\n"):
            self._tokens, self._returned = [], ""
        return new


def ask_to_think(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """The messages with THINK_PROMPT in the system message, which comes first."""
    first, *others = messages
    if first["role"] == "system":
        return [{"role": "system", "content": f"{first['content']}\n\n{THINK_PROMPT}"}, *others]
    return [{"role": "system", "content": THINK_PROMPT}, *messages]
