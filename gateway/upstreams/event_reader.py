"""Reads the events of a chat server's stream, or one JSON body in place of a stream.

An event is a chunk, an error, a keep-alive or the end of the answer.
"""

import re
from typing import Any

from gateway.core.json_size import has_too_many_values
from gateway.core.parts import End, Fault
from gateway.core.sse import DONE, Message
from gateway.upstreams.chunk_reader import ChunkReader, decode_chunk
from gateway.upstreams.error_bodies import decode_json, words_of, words_of_body, words_of_text
from gateway.upstreams.part_joiner import PartJoiner
from gateway.upstreams.stream_errors import ABSENT, ErrorReader, bad_chunk, unreadable

_KEEP_ALIVE_EVENTS = frozenset({"ping", "keepalive", "keep-alive", "keep_alive", "heartbeat"})
_ERROR_EVENTS = frozenset({"error", "exception", "failed", "failure", "fatal"})
_KEEP_ALIVE = re.compile(
    rb"\W*(?:(?:ping|pong|keep[-_ ]?alive|heart[-_ ]?beat|alive|connected|connecting|connection "
    rb"established|open|opened|init|hello|ok|ready|start|started|queued|waiting|noop|no-op|tick"
    rb"|processing|(?:openrouter )?processing|done|end|eof|stream[-_ ]?end)\b[\s\d\W]*)?",
    re.IGNORECASE,
)
"""Data without a meaning for the answer; servers send it to keep the connection open."""


class EventReader:
    """Reads one answer, event by event, into the parts of one of its choices."""

    def __init__(
        self, parts: PartJoiner, choice: int, errors: ErrorReader, *, is_probe: bool = False
    ) -> None:
        """parts: receives the parts. choice: the index of the choice.

        is_probe: the reader reads one event from the middle of a stream, and leaves out the parts
        that depend on earlier events.
        """
        self.chunks = ChunkReader(parts, choice, errors, is_probe=is_probe)
        self._parts = parts
        self._errors = errors

    def read(self, message: Message) -> None:
        """Adds the parts of one event."""
        data = message.data.strip()
        if data == DONE:
            self._end()
        elif message.event and message.event.lower() in _ERROR_EVENTS:
            self.error(data)
        elif data.startswith(b"{"):
            self._object(data)
        elif message.event not in _KEEP_ALIVE_EVENTS and not _KEEP_ALIVE.fullmatch(data):
            self._no_object(data)

    def body(self, data: bytes) -> None:
        """Adds the parts of one JSON body: the answer in one chunk, or an error."""
        if self._refuses(data):
            return
        chunk = decode_chunk(data)
        if chunk is None or not chunk.get("choices") or chunk.get("error") not in ABSENT:
            words = words_of_body(data, self._errors.redact)
            if words.message or chunk is None or chunk.get("choices") is None:
                self._parts.add(self._errors.fault(words))
                return
        self.chunks.read(chunk, text_in=("message", "delta"))
        self._end(in_one_piece=True)

    def error(self, data: bytes) -> None:
        """Adds the fault that the data describes."""
        words = words_of_body(data, self._errors.redact)
        known = words.message or decode_json(data) is not None
        self._parts.add(self._errors.fault(words) if known else unreadable())

    def stray_object(self, data: bytes) -> None:
        """Adds the fault that an object outside of an event describes, if it describes one."""
        value = None if self._refuses(data) else decode_json(data)
        if isinstance(value, dict) and (fault := self._errors.fault_in(value)) is not None:
            self._parts.add(fault)

    def stray_text(self, text: str) -> None:
        """Adds the fault that a text outside of an event describes, if there is no answer."""
        if self.chunks.choices or not self._parts.is_empty:
            return
        words = words_of_text(text, self._errors.redact)
        if " " in words.message:  # a single word is more likely a line that was cut
            self._parts.add(self._errors.fault(words))

    def _end(self, *, in_one_piece: bool = False) -> None:
        """Adds the end: the server has declared its answer complete."""
        deltas = self.chunks.deltas
        if not self.chunks.has_finish_reason and deltas.is_within_arguments:
            self._parts.add(
                Fault("The upstream's answer ended within a tool call.", "upstream_broke_off")
            )
        elif self.chunks.choices:
            deltas.finish_calls()
            self._parts.add(End(in_one_piece))
        else:
            self._parts.add(Fault("The upstream's answer is empty.", "upstream_empty_answer"))

    def _object(self, data: bytes) -> None:
        """Reads a chunk, or an error in any of the shapes that servers use."""
        if self._refuses(data):
            return
        chunk = decode_chunk(data)
        if chunk is None:
            self._parts.add(unreadable())
        elif _is_error(chunk):
            self._parts.add(self._errors.fault(words_of(chunk, self._errors.redact)))
        elif chunk.get("choices") or chunk.get("usage"):
            self.chunks.read(chunk)
        elif (fault := self._errors.fault_in(chunk)) is not None:
            self._parts.add(fault)
        elif chunk.get("choices") is not None:
            self.chunks.hand_on_unknown(chunk)

    def _no_object(self, data: bytes) -> None:
        """Reads data that is not an object: an error, unless it is JSON without a meaning."""
        value = decode_json(data)
        if value is None and data != b"null":
            if not DONE.startswith(data):  # the stream may be cut there
                self.error(data)
            return
        match value:
            case str() | [dict(), *_]:
                if (fault := self._errors.fault_in(value)) is not None:
                    self._parts.add(fault)

    def _refuses(self, data: bytes) -> bool:
        """Whether decoding the data would take too long. If so, adds a fault."""
        if refused := has_too_many_values(data):
            self._parts.add(bad_chunk("The upstream sent an event with too many values."))
        return refused


def _is_error(chunk: dict[str, Any]) -> bool:
    """Whether a chunk reports an error, even if it has other members."""
    if chunk.get("error") not in ABSENT or chunk.get("error_msg") not in ABSENT:
        return True
    base = chunk.get("base_resp")
    return chunk.get("success") is False or (
        isinstance(base, dict) and base.get("status_code") not in ABSENT  # MiniMax
    )
