"""Reads the chunks of an answer, which are decoded JSON, into the parts of one of its choices."""

from collections.abc import Mapping
from types import NoneType
from typing import Any

import msgspec

from gateway.core.finish_reasons import canonical, meaning_of
from gateway.core.parts import Fault, Finish, Other, Usage
from gateway.upstreams.delta_reader import DeltaReader
from gateway.upstreams.error_bodies import decode_json, words_of
from gateway.upstreams.part_joiner import PartJoiner
from gateway.upstreams.stream_errors import ABSENT, ErrorReader
from gateway.upstreams.unknown_members import UnknownMembers

_UNFINISHED = (None, "", "null", "none", "None")
"""Finish reasons of a choice that has not finished: SGLang, Ollama and KoboldCpp send the words."""
_OF_ANSWER = ("system_fingerprint", "service_tier")
"""Members of a chunk that describe the whole answer."""
_KNOWN_IN_CHUNK = (
    *("id", "object", "created", "model", "choices", "usage", "error", *_OF_ANSWER),
    *("phase", "phases", "ttft_ms"),  # names of the gateway's own members
    *("obfuscation", "p", "padding"),  # random padding
)
_KNOWN_IN_CHOICE = (
    *("index", "delta", "message", "text", "logprobs", "finish_reason", "error"),
    *("phases", "obfuscation", "padding"),
)
_OBJECT_OR_NULL, _LIST_OR_NULL = (dict, NoneType), (list, NoneType)
_decode = msgspec.json.Decoder().decode

Chunk = dict[str, Any]
"""A chunk of a stream, or an answer in one piece. Its `choices`, their deltas and messages have
the types of OpenAI's API. Other members can have any type."""


def decode_chunk(data: bytes) -> Chunk | None:
    """Returns the decoded JSON; None if it is not a chunk."""
    try:
        value = _decode(data)
    except (ValueError, RecursionError):
        value = decode_json(data)  # accepts broken UTF-8 and NaN, which msgspec refuses
    return value if isinstance(value, dict) and _is_chunk(value) else None


def _is_chunk(value: Mapping[str, Any]) -> bool:
    choices = value.get("choices")
    if not isinstance(choices, _LIST_OR_NULL):
        return False
    for choice in choices or ():
        if not isinstance(choice, dict):
            return False
        delta, message = choice.get("delta"), choice.get("message")
        if not isinstance(delta, _OBJECT_OR_NULL) or not isinstance(message, _OBJECT_OR_NULL):
            return False
    return True


def _index_of(choice: Mapping[str, Any]) -> Any:
    index = choice.get("index")
    return int(index) if isinstance(index, str) and index.isdecimal() else index or 0


class ChunkReader:
    """Reads the chunks of one answer, in order.

    It keeps state because the meaning of a chunk depends on the chunks before it.
    """

    def __init__(
        self, parts: PartJoiner, choice: int, errors: ErrorReader, *, is_probe: bool = False
    ) -> None:
        """parts: receives the parts. choice: the index of the choice.

        is_probe: the reader reads one chunk from the middle of a stream, and leaves out the parts
        that depend on earlier chunks.
        """
        self.choices = 0
        """The number of choices that were read, of any index: one or more in each chunk."""
        self.answer_id = ""
        """The id that the upstream has given its answer."""
        self.has_finish_reason = False
        """The choice has finished, and not because something broke."""
        self.deltas = DeltaReader(parts, is_probe=is_probe)
        self._parts = parts
        self._index = choice
        self._errors = errors
        self._is_probe = is_probe
        self._of_answer: tuple[Any, ...] = (None, None)
        self._of_chunk = UnknownMembers(_KNOWN_IN_CHUNK)
        self._of_choice = UnknownMembers(_KNOWN_IN_CHOICE)

    def read(self, chunk: Chunk, text_in: tuple[str, ...] = ("delta",)) -> None:
        """Adds the parts of a chunk.

        text_in: the members of a choice that may hold its text; the first that is not empty counts.
        """
        if isinstance(id := chunk.get("id"), str):
            self.answer_id = id
        self._name_answer(chunk)
        self.hand_on_unknown(chunk)
        usage_elsewhere: Any = None
        for choice in chunk.get("choices") or ():
            self.choices += 1
            if _index_of(choice) == self._index:
                self._choice(choice, text_in)
            usage_elsewhere = usage_elsewhere or choice.get("usage")  # as Moonshot sends it
        if (usage := chunk.get("usage")) and isinstance(usage, dict):
            self._parts.add(Usage(usage))
            return
        if usage_elsewhere is None and isinstance(groq := chunk.get("x_groq"), dict):
            usage_elsewhere = groq.get("usage")
        if usage_elsewhere and isinstance(usage_elsewhere, dict):
            self._parts.add(Usage(usage_elsewhere, in_extension=True))

    def hand_on_unknown(self, chunk: Chunk) -> None:
        """Adds the unknown members of a chunk and of its choice, if they have changed."""
        if self._is_probe:
            return
        if new := self._of_chunk.changed(chunk):
            self._parts.add(Other(chunk=new))
        for choice in chunk.get("choices") or ():
            if _index_of(choice) == self._index and (new := self._of_choice.changed(choice)):
                self._parts.add(Other(choice=new))

    def _name_answer(self, chunk: Chunk) -> None:
        """Adds the members of _OF_ANSWER if they changed: servers repeat them in each chunk."""
        named = (chunk.get("system_fingerprint"), chunk.get("service_tier"))
        if named == self._of_answer:
            return
        self._of_answer = named
        members = zip(_OF_ANSWER, named, strict=True)
        if given := {name: value for name, value in members if value is not None}:
            self._parts.add(Other(chunk=given))

    def _choice(self, choice: dict[str, Any], text_in: tuple[str, ...]) -> None:
        delta = next(filter(None, map(choice.get, text_in)), None) or self._text_elsewhere(choice)
        self.deltas.read(delta)
        if (logprobs := choice.get("logprobs")) and isinstance(logprobs, dict):
            self._parts.add(Other(choice={"logprobs": logprobs}))
        error, reason = choice.get("error") or delta.get("error"), choice.get("finish_reason")
        if error not in ABSENT:
            self._parts.add(self._errors.fault(words_of({"error": error}, self._errors.redact)))
        elif reason not in _UNFINISHED:
            self._finish(reason, choice)

    def _text_elsewhere(self, choice: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the delta that a choice without a `delta` stands for.

        Some servers send `text`. Others send the whole answer as a `message` in one chunk of the
        stream. A message after the first chunk only repeats the answer.
        """
        if isinstance(text := choice.get("text"), str):
            return {"content": text}
        message = choice.get("message")
        is_first = self.choices == 1 and not self._is_probe
        return message if is_first and isinstance(message, dict) else {}

    def _finish(self, given: Any, choice: Mapping[str, Any]) -> None:
        # SGLang sends an object. OpenRouter adds the reason of the server behind it.
        reason = str(given.get("type", given) if isinstance(given, dict) else given)
        native = choice.get("native_finish_reason")
        meaning = meaning_of(reason)
        if meaning in ("finished", "unknown") and meaning_of(str(native)) == "broken":
            reason, meaning = str(native), "broken"
        if meaning == "broken":
            message = f"The upstream broke off its answer with the finish reason {reason[:100]!r}."
            self._parts.add(Fault(message, "upstream_broke_off"))
            return
        self.has_finish_reason = True
        self.deltas.finish_calls()
        self._parts.add(Finish(canonical(reason), _stop_sequence(reason, given, choice)))


_STOP_SEQUENCE_IN = ("stop_reason", "matched_stop", "stop_sequence", "stopping_word")
"""Members of a choice: vLLM's, SGLang's, Anthropic's, llama.cpp's."""
_STOPPED_BY_SEQUENCE = ("stop_sequence", "stop_string", "stop_word")


def _stop_sequence(reason: str, given: Any, choice: Mapping[str, Any]) -> str | None:
    """Returns the stop sequence that ended the answer; "" if the server does not name it; None: no
    stop sequence did. A number is the id of a stop token, which is no stop sequence."""
    found = [choice.get(name) for name in _STOP_SEQUENCE_IN]
    if isinstance(given, dict):
        found.append(given.get("matched"))
    named = next((text for text in found if isinstance(text, str)), None)
    return "" if named is None and reason.lower() in _STOPPED_BY_SEQUENCE else named
