"""A model's thoughts in one turn, kept so that the model can get them back in the next turn.

A server may send more than a text: OpenRouter's `reasoning_details` and LiteLLM's `thinking_blocks`
are lists of blocks with signatures, Copilot's `reasoning_opaque` is a token, and Google signs its
tool calls. All of it goes back to the server unchanged.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import msgspec

from gateway.config import ReasoningMode
from gateway.core.sse import dumps

MAX_THOUGHT_CHARS = 64 * 1024
"""The last characters of a reasoning that are kept for the next turn. The same limit holds for its
blocks."""
_TEXTS = {"reasoning.text": "text", "reasoning.summary": "summary", "thinking": "thinking"}
"""Type of a block → its member with readable text, which servers send in pieces."""

ThoughtStyle = Literal["text", "signatures"]
"""The form in which a model wants its thoughts back: as text, or only their signatures."""


class ThoughtRecord(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """A model's thoughts in one turn, with the signed members that its server wants back."""

    text: str = ""
    """The end of the reasoning; "" if the blocks hold it."""
    field: str = ""
    """The member in which the server sent the text; "" if it was marked in the content."""
    server: str = ""
    """Host and port of the server. Any other server gets only the text."""
    blocks: Mapping[str, Sequence[Mapping[str, Any]]] = {}
    """Name of a member of the message → its blocks."""
    members: Mapping[str, Any] = {}
    """Other members of the message."""
    calls: Mapping[str, Mapping[str, Any]] = {}
    """Key of a tool call (see :func:`call_key`) → its members that OpenAI's API does not have."""

    @property
    def is_signed(self) -> bool:
        """The server has sent members that only it can read."""
        blocks = (block for blocks in self.blocks.values() for block in blocks)
        return bool(self.members or self.calls) or any(map(is_opaque_block, blocks))

    @property
    def readable_text(self) -> str:
        """The reasoning as one text."""
        blocks = next(iter(self.blocks.values()), ())
        return self.text or "".join(str(block.get(text_member_of(block), "")) for block in blocks)

    @cached_property
    def chars(self) -> int:
        """The size of the record in memory, in characters; an estimate."""
        return len(encode_record(self))


class Shown(msgspec.Struct, frozen=True):
    """The reasoning in a message of a client's history, as the gateway once showed it.

    The line of the prompt summary may be before either text.
    """

    trace: str = ""
    """The model's own thoughts."""
    summary: str = ""
    """The gateway's summary of them."""

    @classmethod
    def of(cls, text: str, mode: ReasoningMode) -> "Shown":
        """Returns a text as a trace or as a summary, by the mode of the request."""
        return cls(trace=text) if mode in ("raw", "both") else cls(summary=text)


def encode_record(record: ThoughtRecord) -> str:
    """Returns the record as JSON in ASCII. Lone surrogates, which models send, are kept."""
    return dumps(msgspec.to_builtins(record))


def decode_record(data: str) -> ThoughtRecord:
    """Returns the record from the output of :func:`encode_record`. Raises ValueError."""
    # json and not msgspec: msgspec refuses lone surrogates.
    return msgspec.convert(json.loads(data), ThoughtRecord)


def text_member_of(block: Mapping[str, Any]) -> str:
    """Returns the name of a block's member with readable text; "" for none."""
    type = block.get("type")
    return _TEXTS.get(type, "") if isinstance(type, str) else ""


def is_opaque_block(block: Mapping[str, Any]) -> bool:
    """Returns whether a block has a member that only its server can read."""
    return bool(block.get("signature") or block.get("data"))


def call_key(id: Any, index: int) -> str:
    """Returns the key of a tool call in a record: its id, or its number if it has none."""
    return id if isinstance(id, str) and id else f"#{index}"
