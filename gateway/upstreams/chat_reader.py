"""Reads the answer of a chat server: lines in, parts out.

Servers that answer a stream request with one JSON body are understood as well.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from gateway.core.finish_reasons import canonical, meaning_of
from gateway.core.json_size import has_too_many_values
from gateway.core.parts import (
    Content,
    End,
    Fault,
    Finish,
    Label,
    Other,
    Part,
    Reasoning,
    ToolCalls,
    Usage,
)
from gateway.core.sse import DONE, MAX_EVENT_BYTES, Decoder, Message
from gateway.upstreams.error_bodies import (
    ErrorWords,
    Redact,
    decode_json,
    key_refused,
    words_of,
    words_of_body,
    words_of_text,
)
from gateway.upstreams.frame_template import FrameTemplate, PartType, TemplateLearner
from gateway.upstreams.tool_calls import ToolCallIndexer, clean_function, join_deltas

_LABELLED = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
"""The fields in which servers put reasoning; the first that is not empty counts, once."""
_MIRRORS = ("reasoning_details", "thinking_blocks")
"""Lists in which servers repeat it; they count where there is no such field."""
_KNOWN = frozenset(
    {"role", "content", "tool_calls", "reasoning_opaque", "extra_content", *_LABELLED, *_MIRRORS}
)
"""What is not handed on as an unknown field: it is said otherwise, or is reasoning in disguise."""
_UNFINISHED = (None, "", "null", "none", "None")
"""The finish reasons of a choice that goes on; the words are SGLang's, Ollama's and KoboldCpp's."""
_KNOWN_IN_CHUNK = frozenset(
    {
        *("id", "object", "created", "model", "choices", "usage", "error"),
        *("system_fingerprint", "service_tier"),
        *("phase", "phases", "ttft_ms"),  # names of the gateway's own members
        *("obfuscation", "p", "padding"),  # random padding
    }
)
_KNOWN_IN_CHOICE = frozenset(
    {
        *("index", "delta", "message", "logprobs", "finish_reason", "error"),
        *("phases", "obfuscation", "padding"),
    }
)
_ABSENT = (None, "", False, 0)
"""The values of an `error` member that is no error."""
_FIELDS = (b"data", b"event", b"id", b"retry", b":", b"\xef\xbb\xbf")
"""What the lines of an event stream begin with."""
_BARE_ERROR = re.compile(rb"\s*(?:error|err|exception)\s*:\s*|(?=\s*\{\s*\"error\")", re.IGNORECASE)
_TAG = "<thought>"
_MAX_STRAY = 500
_SIGNS_OF_LIFE = frozenset({"ping", "keepalive", "keep-alive", "keep_alive", "heartbeat"})
"""Names of events that say nothing."""
_SIGN_OF_LIFE = re.compile(
    rb"\W*(?:(?:ping|pong|keep[-_ ]?alive|heart[-_ ]?beat|alive|connected|connecting|connection "
    rb"established|open|opened|init|hello|ok|ready|start|started|queued|waiting|noop|no-op|tick"
    rb"|processing|(?:openrouter )?processing|done|end|eof|stream[-_ ]?end)\b[\s\d\W]*)?",
    re.IGNORECASE,
)
"""Data that says nothing: it only keeps the connection open."""


class _Choice(msgspec.Struct):
    index: Any = 0
    delta: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    logprobs: Any = None
    finish_reason: Any = None
    stop_reason: Any = None
    matched_stop: Any = None
    error: Any = None
    usage: Any = None


class _Chunk(msgspec.Struct):
    id: Any = None
    choices: list[_Choice] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None
    system_fingerprint: Any = None
    service_tier: Any = None
    x_groq: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode
_decode_any = msgspec.json.Decoder().decode


_JOINED: Mapping[type[Part], Callable[[list[Any]], Part]] = {
    Content: lambda texts: Content("".join(texts)),
    Reasoning: lambda texts: Reasoning("".join(texts)),
    ToolCalls: lambda pieces: ToolCalls(join_deltas(pieces)),
}
"""The kinds of parts of which neighbours are one, and how."""


class ChatReader:
    """Reads the lines of one answer into the parts of one of its choices."""

    def __init__(
        self, choice: int = 0, redact: Redact = str, key_setting: str = "UPSTREAM_API_KEY"
    ) -> None:
        """key_setting: where the operator sets the key that the upstream may refuse."""
        self.frames = 0
        """Frames with a choice that were read by :meth:`feed`."""
        self.answer_id = ""
        """The id that the upstream has given its answer."""
        self._choice_index = choice
        self._redact = redact
        self._key_setting = key_setting
        self._has_choices = False
        """Some choice was there, of whatever index."""
        self._stray = b""
        """The first lines that are no lines of an event stream."""
        self._has_tagged_thoughts: bool | None = None
        """Whether flagged thoughts stand between tags as well; None until it is known."""
        self._is_probe = False
        """It reads a single frame, to find the template of the stream."""
        self._flagged_head = ""
        """Flagged text that may be the begin of a tag."""
        self._has_label = False
        self._sse = Decoder()
        self._learner = TemplateLearner()
        self._calls = ToolCallIndexer()
        self._whole: list[bytes] | None = None
        self._held_bytes = 0
        self._begun = False
        self._of_answer: tuple[Any, Any] = (None, None)
        self._members: dict[str, Any] = {}
        """The unknown members of the chunks and of the choice, as they were last."""
        self._parts: list[Part] = []
        self._pieces: list[Any] = []
        self._kind: type[Part] = Content

    def feed(self, lines: Sequence[bytes]) -> list[Part]:
        """Takes the lines of one read, without line ends."""
        if not self._begun:
            self._begin(lines)
        if self._whole is not None:
            self._whole.extend(lines)
            self._hold(lines)
            return self._take()
        at = 0
        while at < len(lines):
            template = self._known_template()
            texts = template.texts_of_lines(lines, at) if template is not None else None
            if not texts or template is None:
                at = self._parsed(lines, at)
                continue
            end = at + 2 * len(texts)
            text = template.decode(texts)
            if text is None:
                at = self._parsed(lines, at, end)
                continue
            template.has_fitted = True
            self.frames += len(texts)
            if end - at == len(lines):
                return [template.part(text)] if text else []  # all of it, as nearly always
            self._text(template.part, text)
            at = end
        if self._sse.between_events:
            self._held_bytes = 0
        else:
            self._hold(lines)
        return self._take()

    def _hold(self, lines: Sequence[bytes]) -> None:
        """These do not end what has begun."""
        self._held_bytes += sum(map(len, lines))
        if self._held_bytes > MAX_EVENT_BYTES:
            self._whole, self._sse = None, Decoder()
            self._add(Fault("The upstream sent an event that is too long.", "upstream_bad_chunk"))

    def _parsed(self, lines: Sequence[bytes], at: int, end: int | None = None) -> int:
        """The full parse, of one event if no end is given: gives how far it went."""
        if end is None:
            end = next((i for i in range(at, len(lines)) if not lines[i]), len(lines) - 1) + 1
            if end - at == 2 and self._sse.between_events:
                self._learner.learn(lines[at], self._parts_of)
        event = lines[at:end]
        for message in self._sse.feed(event):
            self._message(message)
        for line in event:
            if line and not line.startswith(_FIELDS):
                self._stray_line(line)
        return end

    def _stray_line(self, line: bytes) -> None:
        """A line of no event stream: some servers write an error without `data:` before it."""
        if error := _BARE_ERROR.match(line):
            self._error_text(line[error.end() :] or line)
        elif len(self._stray) < _MAX_STRAY:
            self._stray += line[:_MAX_STRAY] + b"\n"

    def _parts_of(self, line: bytes) -> list[Part]:
        """What one line says by itself, further down in a stream."""
        reader = ChatReader(self._choice_index)
        reader._has_label = reader._is_probe = True
        reader._parsed([b"", line, b""], 0, 3)
        return reader._take()

    def _known_template(self) -> FrameTemplate | None:
        is_between = self._sse.between_events and not self._flagged_head
        return self._learner.template if is_between else None

    @property
    def template(self) -> tuple[FrameTemplate, PartType] | None:
        """The frame that the answer repeats, and what its text is; None while unknown."""
        template = self._known_template()
        return (template, template.part) if template is not None else None

    def close(self) -> list[Part]:
        """The body has ended."""
        if self._whole is not None:
            self._body(b"\n".join(self._whole))
        for message in self._sse.close():
            self._message(message)
        self._release_flagged()
        if self._stray and not self._has_choices and not self._parts:
            words = words_of_text(self._stray.decode("utf-8", "replace"), self._redact)
            if " " in words.message:  # else it is rather a line that was cut
                self._fault(words)
        return self._take()

    def _begin(self, lines: Sequence[bytes]) -> None:
        """An answer that begins with a brace or a bracket is not a stream but one JSON body."""
        first = next((line.lstrip() for line in lines if line.strip()), None)
        if first is not None:
            self._begun = True
            if first.startswith((b"{", b"[")):
                self._whole = []

    def _take(self) -> list[Part]:
        self._flush()
        parts, self._parts = self._parts, []
        return parts

    def _message(self, message: Message) -> None:
        data = message.data.strip()
        if data == DONE:
            self._end()
        elif message.event == "error":
            self._error_text(data)
        elif data.startswith(b"{"):
            self._chunk(data)
        elif message.event not in _SIGNS_OF_LIFE and not _SIGN_OF_LIFE.fullmatch(data):
            self._no_chunk(data)

    def _end(self, *, in_one_piece: bool = False) -> None:
        """The server says that its answer is whole."""
        if self._has_choices:
            self._add(End(in_one_piece))
        else:
            self._add(Fault("The upstream's answer is empty.", "upstream_empty_answer"))

    def _no_chunk(self, data: bytes) -> None:
        """Data that is no object: an error, unless it is JSON that says nothing."""
        value = decode_json(data)
        if value is None and data != b"null":
            if not DONE.startswith(data):  # the stream may be cut there
                self._error_text(data)
        elif isinstance(value, str | list):
            words = words_of(value, self._redact)
            if words.message and (isinstance(value, str) or isinstance(value[0], dict)):
                self._fault(words)

    def _error_text(self, data: bytes) -> None:
        words = words_of_body(data, self._redact)
        if words.message or decode_json(data) is not None:
            self._fault(words)
        else:
            self._unreadable()

    def _unreadable(self) -> None:
        message = "The upstream sent a chunk that could not be read."
        self._add(Fault(message, "upstream_bad_chunk"))

    def _chunk(self, data: bytes) -> None:
        if self._refuses(data):
            return
        chunk = _parse(data)
        if chunk is None:
            self._unreadable()
            return
        if chunk.error not in _ABSENT:
            self._fault(words_of(decode_json(data), self._redact))
        elif not chunk.choices and not chunk.usage:
            # Not a chunk: an error in one of the shapes that have no "error" key, or nothing.
            words = words_of(decode_json(data), self._redact)
            if words.message:
                self._fault(words)
            elif chunk.choices is not None and not self._is_probe:
                self._unknown_members(data)
        else:
            self._content(chunk, data, [choice.delta for choice in chunk.choices or ()])

    def _body(self, data: bytes) -> None:
        """One JSON body in place of a stream: the answer in one chunk, or an error."""
        if self._refuses(data):
            return
        chunk = _parse(data)
        if chunk is None or not chunk.choices or chunk.error not in _ABSENT:
            words = words_of_body(data, self._redact)
            if words.message or chunk is None or chunk.choices is None:
                self._fault(words)
                return
        deltas = [choice.message or choice.delta for choice in chunk.choices or ()]
        self._content(chunk, data, deltas)
        self._end(in_one_piece=True)

    def _refuses(self, data: bytes) -> bool:
        """Whether decoding the data would take too long. If so, adds the fault."""
        if refused := has_too_many_values(data):
            self._add(
                Fault("The upstream sent an event with too many values.", "upstream_bad_chunk")
            )
        return refused

    def _content(self, chunk: _Chunk, data: bytes, deltas: list[dict[str, Any] | None]) -> None:
        if isinstance(chunk.id, str):
            self.answer_id = chunk.id
        if (chunk.system_fingerprint, chunk.service_tier) != self._of_answer:
            self._name_answer(chunk)
        if not self._is_probe:
            self._unknown_members(data)
        elsewhere: Any = None  # Moonshot puts the usage into the choice, Groq into x_groq
        for choice, delta in zip(chunk.choices or (), deltas, strict=True):
            self._has_choices = True
            self.frames += 1
            if (choice.index or 0) == self._choice_index:
                self._choice(delta or {}, choice)
            elsewhere = elsewhere or choice.usage
        if elsewhere is None and isinstance(chunk.x_groq, dict):
            elsewhere = chunk.x_groq.get("usage")
        if chunk.usage:
            self._add(Usage(chunk.usage))
        elif elsewhere and isinstance(elsewhere, dict):
            self._add(Usage(elsewhere, in_extension=True))

    def _unknown_members(self, data: bytes) -> None:
        """Passes on what the gateway does not know. Servers repeat it in every chunk, so only what
        has changed: then a frame that differs in nothing but its text says nothing else."""
        try:
            raw = _decode_any(data)
        except (ValueError, RecursionError):
            raw = decode_json(data)
        if new := self._new_members(raw, _KNOWN_IN_CHUNK, ""):
            self._add(Other(chunk=new))
        for choice in raw.get("choices") or ():
            if (choice.get("index") or 0) != self._choice_index:
                continue
            if new := self._new_members(choice, _KNOWN_IN_CHOICE, "choice "):
                self._add(Other(choice=new))

    def _new_members(
        self, raw: Mapping[str, Any], known: frozenset[str], prefix: str
    ) -> dict[str, Any]:
        if raw.keys() <= known:
            return {}
        new = {
            name: value
            for name, value in raw.items()
            if name not in known
            and not _is_empty(value)
            and self._members.get(prefix + name) != value
        }
        self._members |= {prefix + name: value for name, value in new.items()}
        return new

    def _name_answer(self, chunk: _Chunk) -> None:
        """Most servers repeat these in every chunk; they are said once."""
        self._of_answer = (chunk.system_fingerprint, chunk.service_tier)
        named = zip(("system_fingerprint", "service_tier"), self._of_answer, strict=True)
        if given := {name: value for name, value in named if value is not None}:
            self._add(Other(chunk=given))

    def _choice(self, delta: dict[str, Any], choice: _Choice) -> None:
        content = delta.get("content")
        if len(delta) == 1 and isinstance(content, str):
            self._text(Content, content)  # as nearly every delta is
        else:
            self._delta(delta, content)
        if choice.logprobs and isinstance(choice.logprobs, dict):
            self._add(Other(choice={"logprobs": choice.logprobs}))
        if choice.error not in _ABSENT:
            self._fault(words_of({"error": choice.error}, self._redact))
        elif choice.finish_reason not in _UNFINISHED:
            self._finish(str(choice.finish_reason), choice)

    def _finish(self, reason: str, choice: _Choice) -> None:
        if meaning_of(reason) == "broken":
            message = f"The upstream broke off its answer with the finish reason {reason[:100]!r}."
            self._add(Fault(message, "upstream_broke_off"))
        else:
            self._add(Finish(canonical(reason), _stop_sequence(choice)))

    def _delta(self, delta: dict[str, Any], content: Any) -> None:
        reasoning = _reasoning_of(delta)
        if not self._has_label:
            self._has_label = bool(reasoning) or not delta.keys().isdisjoint(_LABELLED)
            if self._has_label and not reasoning:
                self._add(Label())
        self._text(Reasoning, reasoning)
        if isinstance(content, str):
            if _is_thought(delta.get("extra_content")):
                self._flagged(content)
            else:
                self._text(Content, content)
        elif isinstance(content, list):
            for item in content:
                self._item(item)
        calls = delta.get("tool_calls")
        if calls and isinstance(calls, list):
            for call in calls:
                if isinstance(call, dict) and not self._calls.has_too_many:
                    self._piece(ToolCalls, self._calls.with_index(call))
            if self._calls.has_too_many:
                self._add(Fault("The upstream sent too many tool calls.", "upstream_bad_chunk"))
        other = {
            name: value
            for name, value in delta.items()
            if name not in _KNOWN and not _is_empty(value)
        }
        if isinstance(call := other.get("function_call"), dict):
            other["function_call"] = clean_function(call)
        if other:
            self._add(Other(other))

    def _fault(self, words: ErrorWords) -> None:
        fault = Fault(
            words.message or "The upstream reported an error in its answer.",
            words.code or "upstream_error",
            words.status,
            words.type,
            words.param,
            words.retry_after_s,
            words.cause(words.status),
        )
        if fault.refuses_key:
            message = key_refused(words.status, self._key_setting, words)
            fault = msgspec.structs.replace(fault, message=message)
        self._add(fault)

    def _flagged(self, content: str) -> None:
        """Text that Google flags as thoughts: with tags around it, the text says it itself."""
        if self._is_probe:
            return  # what it is depends on the text before it: such frames have no template
        text, self._flagged_head = self._flagged_head + content, ""
        if self._has_tagged_thoughts is None:
            head = text.lstrip()
            if _TAG.startswith(head) and head != _TAG:
                self._flagged_head = text
                return
            self._has_tagged_thoughts = head.startswith(_TAG)
        self._text(Content if self._has_tagged_thoughts else Reasoning, text)

    def _release_flagged(self) -> None:
        """The flagged text so far was no tag."""
        text, self._flagged_head = self._flagged_head, ""
        self._text(Reasoning, text)

    def _item(self, item: Any) -> None:
        """An item of a content list, as Mistral and Databricks send them."""
        match item:
            case str():
                self._text(Content, item)
            case {"type": "thinking" | "reasoning"}:
                thoughts = item.get("thinking") or item.get("summary")
                self._text(Reasoning, _joined(thoughts, "text"))
            case _:
                self._text(Content, _joined([item], "text"))

    def _text(self, kind: type[Content] | type[Reasoning], text: str) -> None:
        if text:
            if self._flagged_head:
                self._release_flagged()
            self._piece(kind, text)

    def _piece(self, kind: type[Part], piece: Any) -> None:
        if kind is not self._kind:
            self._flush()
            self._kind = kind
        self._pieces.append(piece)

    def _flush(self) -> None:
        if self._pieces:
            self._parts.append(_JOINED[self._kind](self._pieces))
            self._pieces.clear()

    def _add(self, part: Part) -> None:
        self._flush()
        self._parts.append(part)


def _stop_sequence(choice: _Choice) -> str | None:
    """The text that stopped the model, in vLLM's place or SGLang's. A number is a token's."""
    found = (choice.stop_reason, choice.matched_stop)
    return next((text for text in found if isinstance(text, str)), None)


def _reasoning_of(delta: dict[str, Any]) -> str:
    """What a delta labels as reasoning, in whichever of its places."""
    for field in _LABELLED:
        text = delta.get(field)
        if text and isinstance(text, str):
            return text
    details = delta.get("reasoning_details")
    return (
        _joined(details, "text")
        or _joined(details, "summary")
        or _joined(delta.get("thinking_blocks"), "thinking")
    )


def _joined(items: Any, member: str) -> str:
    """The text of the items of a list, or a text that stands in its place."""
    if isinstance(items, str):
        return items
    if not isinstance(items, list):
        return ""
    texts = (item.get(member) for item in items if isinstance(item, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _is_empty(value: Any) -> bool:
    """Whether a member says nothing: some servers send each member of an answer, most of them
    empty, down to `"audio": {"id": "", "expires_at": 0}`."""
    if isinstance(value, dict):
        return all(map(_is_nothing, value.values()))
    return value is None or value in ("", [])


def _is_nothing(value: Any) -> bool:
    return _is_empty(value) or (value == 0 and not isinstance(value, bool))


def _is_thought(extra: Any) -> bool:
    """A flag beside a signature is Google's for the answer that follows the thoughts."""
    google = extra.get("google") if isinstance(extra, dict) else None
    return (
        isinstance(google, dict)
        and google.get("thought") is True
        and not google.get("thought_signature")
    )


def _parse(data: bytes) -> _Chunk | None:
    try:
        return _decode(data)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # Broken UTF-8 is what a lenient parser is for.
        try:
            return msgspec.convert(decode_json(data), _Chunk)
        except msgspec.ValidationError:
            return None
