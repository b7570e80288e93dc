"""Reads signatures and encrypted blocks, which a server wants back with the conversation.

    reasoning_details, thinking_blocks   lists of blocks (OpenRouter, LiteLLM); their texts repeat
                                         the reasoning and are read as that
    reasoning_opaque                     a token (GitHub Copilot)
    extra_content                        an object that may hold a signature (Google)

In a stream, a block comes in pieces: each has more of its text, the last one its signature.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.core.parts import BlockPiece, Signed
from gateway.core.thoughts import text_member_of

_LISTS = ("reasoning_details", "thinking_blocks")
_PLACES = frozenset({*_LISTS, "reasoning_opaque", "extra_content"})
_NOTHING = (None, "")


class SignedReader:
    """Finds the signed members in the deltas of one answer."""

    def __init__(self) -> None:
        self._last: dict[str, dict[str, Any]] = {}
        """The last block of each list, without its text."""

    def read(self, delta: Mapping[str, Any]) -> Signed | None:
        """Returns the new signed members of a delta; None if there are none."""
        if _PLACES.isdisjoint(delta):
            return None
        pieces = [piece for name in _LISTS for piece in self._pieces(name, delta.get(name))]
        members = dict(_opaque_members(delta))
        return Signed(pieces, members) if pieces or members else None

    def _pieces(self, name: str, blocks: Any) -> Iterator[BlockPiece]:
        offset = 0
        for block in blocks if isinstance(blocks, list) else ():
            if not isinstance(block, dict):
                continue
            text_member = text_member_of(block)
            hidden = {member: value for member, value in block.items() if member != text_member}
            last = self._last.get(name)
            continues = last is not None and _continues(last, hidden)
            if last is not None and continues:
                more = {member: value for member, value in hidden.items() if value not in _NOTHING}
                hidden = {**last, **more}
            if not continues or hidden != last:
                self._last[name] = hidden
                yield BlockPiece(name, hidden, offset, continues)
            text = block.get(text_member)
            offset += len(text) if isinstance(text, str) else 0


def _continues(last: Mapping[str, Any], block: Mapping[str, Any]) -> bool:
    """Returns whether a block is a further piece of the last one.

    A block without a text always comes in one piece; some servers send it twice.
    """
    if not text_member_of(block):
        return last == block
    if last.get("type") != block["type"] or last.get("index") != block.get("index"):
        return False
    # Blocks without an index come one after the other. A signature ends a block.
    return "index" in block or not last.get("signature")


def _opaque_members(delta: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    token = delta.get("reasoning_opaque")
    if token and isinstance(token, str):
        yield "reasoning_opaque", token
    extra = delta.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    if isinstance(google, dict) and google.get("thought_signature"):
        yield "extra_content", extra
