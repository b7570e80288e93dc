"""What an upstream's stream is made of: values between a reader and the turn.

A reader joins neighbouring pieces of the same kind that came in one read, so that the work behind
it is done once a read and not once a token.
"""

from typing import Any, NamedTuple

import msgspec

from gateway.errors import RefusalCause, UpstreamError, UpstreamRefused


class Content(msgspec.Struct, frozen=True):
    """Text in which reasoning and answer are still mixed."""

    text: str


class Reasoning(msgspec.Struct, frozen=True):
    """Text that the upstream itself labelled as reasoning."""

    text: str


class Label(msgspec.Struct, frozen=True):
    """The upstream sends a field for reasoning, though it is empty; said once."""


class BlockPiece(NamedTuple):
    """What a delta says of one block of `reasoning_details` or `thinking_blocks`."""

    member: str
    """The list that it is in."""
    block: dict[str, Any]
    """Without its text, which is a :class:`Reasoning`."""
    offset: int
    """Where in the text of the delta it begins."""
    continues: bool
    """It adds to the block before it."""


class Signed(msgspec.Struct, frozen=True):
    """What the server wants back with the conversation; of blocks, only what is new."""

    pieces: list[BlockPiece] = []
    members: dict[str, Any] = {}
    """Members of the message that only the server can read."""


class ToolCalls(msgspec.Struct, frozen=True):
    """Items of `tool_calls` lists; their `index` counts the answer's calls from 0."""

    calls: list[dict[str, Any]]


class Other(msgspec.Struct, frozen=True):
    """What is handed on as it came; see gateway.core.events.Extra."""

    delta: dict[str, Any] = {}
    """Fields of a delta that the gateway does not know."""
    choice: dict[str, Any] = {}
    """`logprobs`, and members of a choice that the gateway does not know."""
    chunk: dict[str, Any] = {}
    """Members of a chunk, such as `system_fingerprint` and `citations`, when they are new."""


class Usage(msgspec.Struct, frozen=True):
    """Token counts as the upstream gave them."""

    usage: dict[str, Any]
    in_extension: bool = False
    """They stood in a member of the server's own, which is handed on as well (see Other)."""


class Finish(msgspec.Struct, frozen=True):
    """The model has stopped; only usage and the end may follow."""

    reason: str
    """See gateway.core.finish_reasons; never one of a broken end, which is a Fault."""
    stop_sequence: str | None = None
    """Which of the request's stop sequences it was, where the server says it; "": one of them."""


class End(msgspec.Struct, frozen=True):
    """The upstream said that its stream is whole."""

    in_one_piece: bool = False
    """The answer was one JSON body, which should have given a finish reason."""


class Fault(msgspec.Struct, frozen=True):
    """The stream says, or shows, that something broke."""

    message: str
    code: str | None = None
    status: int = 0
    """The HTTP status that the upstream names, as if it had answered with it; 0: none."""
    type: str | None = None
    param: str | None = None
    retry_after_s: int | None = None
    cause: RefusalCause | None = None

    @property
    def refuses_key(self) -> bool:
        """The upstream refuses the gateway's key."""
        error = self.error
        return isinstance(error, UpstreamRefused) and error.cause == "key"

    @property
    def error(self) -> UpstreamError:
        """The error that ends the turn."""
        if not self.status:
            return UpstreamError(self.message, code=self.code)
        return UpstreamRefused(
            self.status,
            self.message,
            type=self.type,
            param=self.param,
            code=self.code,
            retry_after_s=self.retry_after_s,
            cause=self.cause,
        )


Part = Content | Reasoning | Label | Signed | ToolCalls | Other | Usage | Finish | End | Fault
