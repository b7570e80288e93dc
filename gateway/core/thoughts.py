"""What a model thought in one turn, kept so that the model can get it back in the next.

A server may send more than a text: OpenRouter's `reasoning_details` and LiteLLM's `thinking_blocks`
are lists of blocks with signatures, Copilot's `reasoning_opaque` is a token, and Google signs its
tool calls. All of it goes back to the server as it came.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import msgspec

from gateway.config import ReasoningMode
from gateway.core.sse import dumps

MAX_THOUGHT_CHARS = 64 * 1024
"""What is kept of a reasoning for the next turn: its end. The same limit holds for its blocks."""
_TEXTS = {"reasoning.text": "text", "reasoning.summary": "summary", "thinking": "thinking"}
"""Type of a block → its member with text that the client can read, which servers send in pieces."""

ThoughtStyle = Literal["text", "signatures"]
"""What a model wants back: its reasoning, or only the signatures that it was given."""


class ThoughtRecord(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """What a model thought in one turn, and what its server wants back beside it."""

    text: str = ""
    """The end of the reasoning; "" if the blocks hold it."""
    field: str = ""
    """The member in which the server sent the text; "" if it was marked in the content."""
    server: str = ""
    """Host and port of the server. Another one is given the text alone."""
    blocks: Mapping[str, Sequence[Mapping[str, Any]]] = {}
    """Name of a member of the message → its blocks."""
    members: Mapping[str, Any] = {}
    """Other members of the message."""
    calls: Mapping[str, Mapping[str, Any]] = {}
    """Id of a tool call → its members that no API has. See :func:`call_key`."""

    @property
    def is_signed(self) -> bool:
        """The server has sent something that only it can read."""
        blocks = (block for blocks in self.blocks.values() for block in blocks)
        return bool(self.members or self.calls) or any(map(is_opaque_block, blocks))

    @property
    def readable_text(self) -> str:
        """The reasoning as one text."""
        blocks = next(iter(self.blocks.values()), ())
        return self.text or "".join(str(block.get(text_member_of(block), "")) for block in blocks)

    @cached_property
    def chars(self) -> int:
        """About how much memory it takes."""
        return len(encode_record(self))


class Shown(msgspec.Struct, frozen=True):
    """The reasoning that a client has in a message of its history, as it was shown it."""

    trace: str = ""
    """What the model thought; the line of the prompt summary may stand before it."""
    summary: str = ""
    """What the gateway wrote; that line may stand before it, too."""

    @classmethod
    def of(cls, text: str, mode: ReasoningMode) -> "Shown":
        """A text that is one or the other, by what the request asks to be shown."""
        return cls(trace=text) if mode in ("raw", "both") else cls(summary=text)


def encode_record(record: ThoughtRecord) -> str:
    """Returns the record as JSON in ASCII. Lone surrogates, which models send, are kept."""
    return dumps(msgspec.to_builtins(record))


def decode_record(data: str) -> ThoughtRecord:
    """Returns the record that :func:`encode_record` got. Raises ValueError for other data."""
    # json and not msgspec: msgspec refuses lone surrogates.
    return msgspec.convert(json.loads(data), ThoughtRecord)


def text_member_of(block: Mapping[str, Any]) -> str:
    """Returns the member of a block that holds a text that clients can read; "" for none."""
    type = block.get("type")
    return _TEXTS.get(type, "") if isinstance(type, str) else ""


def is_opaque_block(block: Mapping[str, Any]) -> bool:
    """Returns whether a block holds something that only its server can read."""
    return bool(block.get("signature") or block.get("data"))


def call_key(id: Any, index: int) -> str:
    """Returns the name of a tool call in a record: its id, or its number if it has none."""
    return id if isinstance(id, str) and id else f"#{index}"
