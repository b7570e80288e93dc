"""The pieces of an upstream's answer: values between a reader and the turn.

A reader joins neighbouring pieces of one type that came in one read. So everything behind the
reader works once for each read, and not once for each token.
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
    """The upstream has sent an empty field for reasoning. At most once in an answer."""


class BlockPiece(NamedTuple):
    """A piece of one block of `reasoning_details` or `thinking_blocks`."""

    member: str
    """The name of the list that the block is in."""
    block: dict[str, Any]
    """The members of the block without its text, which is a :class:`Reasoning`."""
    offset: int
    """The position in the text of the delta at which the piece begins, in characters."""
    continues: bool
    """The piece belongs to the block before it."""


class Signed(msgspec.Struct, frozen=True):
    """Signed or encrypted members, which the server wants back with the conversation."""

    pieces: list[BlockPiece] = []
    members: dict[str, Any] = {}
    """Other members of the message, which only the server can read."""


class ToolCalls(msgspec.Struct, frozen=True):
    """Items of `tool_calls` lists; their `index` counts the answer's calls from 0."""

    calls: list[dict[str, Any]]


class Other(msgspec.Struct, frozen=True):
    """Members that are passed on unchanged; see gateway.core.events.Extra."""

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
    """The counts came in the server's own member, which is passed on as well (see Other)."""


class Finish(msgspec.Struct, frozen=True):
    """The model has stopped; only usage and the end may follow."""

    reason: str
    """See gateway.core.finish_reasons. If the answer broke off, the part is a Fault instead."""
    stop_sequence: str | None = None
    """The request's stop sequence that ended the answer; "": one of them, the server does not say
    which; None: none of them."""


class End(msgspec.Struct, frozen=True):
    """The upstream has declared its answer complete."""

    in_one_piece: bool = False
    """The answer was one JSON body, which should have a finish reason."""


class Fault(msgspec.Struct, frozen=True):
    """An error in the stream: the upstream reports it, or the stream can't be read."""

    message: str
    code: str | None = None
    status: int = 0
    """The HTTP status that the error names; 0: none."""
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
