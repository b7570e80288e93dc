"""Collects a model's thoughts in one turn, up to a limit."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from gateway.core.parts import BlockPiece, Signed
from gateway.core.sse import dumps
from gateway.core.thoughts import (
    MAX_THOUGHT_CHARS,
    ThoughtRecord,
    ThoughtStyle,
    call_key,
    is_opaque_block,
    text_member_of,
)

_MAX_CHARS = 4 * MAX_THOUGHT_CHARS
"""The last characters that are kept during the turn, so that the model can continue after them."""
_CALL_MEMBERS = frozenset({"index", "id", "type", "function", "custom"})
"""Members of a tool call that every API has."""

KeepThoughts = Callable[[Sequence[str], ThoughtRecord], None]
"""Takes the ids of a turn's tool calls, which may be none, and the model's thoughts in the turn."""
SendThoughts = Literal["always", "wanted", "never"]
"""When to send the thoughts to the client, which returns them in the next turn.

`wanted`: only if the model wants them back.
"""


class _Block(NamedTuple):
    """A block without its text, which is a part of the log's text."""

    member: str
    block: dict[str, Any]
    at: int
    """The position in the text at which the block begins, in characters."""


class ThoughtLog:
    """Collects a model's thoughts in one turn, up to a limit."""

    def __init__(
        self,
        *,
        send: SendThoughts = "never",
        keep: KeepThoughts | None = None,
    ) -> None:
        """send: when to send the thoughts to the client. keep: called by :meth:`store`."""
        self.field = ""
        """See ThoughtRecord.field."""
        self._send = send
        self._keep = keep
        self._server = ""
        self._style: ThoughtStyle | None = None
        self._pieces: list[str] = []
        self._chars = 0
        self._dropped = 0
        """The number of characters at the front of the text that are no longer kept."""
        self._blocks: deque[_Block] = deque()
        self._block_chars = 0
        self._text_lists: set[str] = set()
        """The names of the lists with a block that has a text."""
        self._members: dict[str, Any] = {}
        self._call_ids: dict[int, str] = {}
        self._call_members: dict[int, dict[str, Any]] = {}
        self._has_new_signature = False
        self._sent_chars = 0
        """The characters of the text that the client was sent."""

    def begin(self, server: str, style: ThoughtStyle | None) -> None:
        """The relay calls a server. style: the form in which its model wants its thoughts back."""
        self._server, self._style = server, style

    def add(self, text: str) -> None:
        """Adds a piece of the reasoning."""
        self._pieces.append(text)
        self._chars += len(text)
        if self._chars > 2 * _MAX_CHARS:
            kept = "".join(self._pieces)[-_MAX_CHARS:]
            self._dropped += self._chars - len(kept)
            self._pieces, self._chars = [kept], len(kept)

    def add_signed(self, signed: Signed) -> None:
        """Adds signed members. Call it before the text of the same delta is added."""
        self._members |= {
            name: value
            for name, value in signed.members.items()
            if len(dumps(value)) <= MAX_THOUGHT_CHARS
        }
        for piece in signed.pieces:
            same = (known.block for known in reversed(self._blocks) if known.member == piece.member)
            block = next(same, None) if piece.continues else None
            if block is None:
                block = {}
                self._blocks.append(_Block(piece.member, block, self._begin_of(piece)))
            else:
                self._block_chars -= len(dumps(block))
            block.update(piece.block)
            self._block_chars += len(dumps(block))
        while self._block_chars > MAX_THOUGHT_CHARS and self._blocks:
            self._block_chars -= len(dumps(self._blocks.popleft().block))
        is_opaque = any(is_opaque_block(piece.block) for piece in signed.pieces)
        self._has_new_signature = self._has_new_signature or is_opaque or bool(signed.members)

    def _begin_of(self, piece: BlockPiece) -> int:
        """Returns the position at which a block begins. The first block with a text begins at 0."""
        if text_member_of(piece.block) and piece.member not in self._text_lists:
            self._text_lists.add(piece.member)
            return 0
        return self._dropped + self._chars + piece.offset

    def add_calls(self, calls: Iterable[Mapping[str, Any]]) -> None:
        """Adds the signatures of tool calls, and their ids, the keys of the thoughts."""
        for call in calls:
            index, id = call["index"], call.get("id")
            if isinstance(id, str):
                self._call_ids.setdefault(index, id)
            if not call.keys() <= _CALL_MEMBERS:
                self._add_call_members(index, call)

    def _add_call_members(self, index: int, call: Mapping[str, Any]) -> None:
        known = self._call_members.setdefault(index, {})
        known |= {name: call[name] for name in call.keys() - _CALL_MEMBERS}
        self._has_new_signature = True
        while len(dumps(self._call_members)) > MAX_THOUGHT_CHARS:
            del self._call_members[min(self._call_members)]

    def clear(self) -> None:
        """Drops the text so far: it was not reasoning but the answer."""
        self._pieces.clear()
        self._dropped, self._chars = self._dropped + self._chars, 0

    def whole(self) -> str:
        """Returns the reasoning so far; only its end if it is very long."""
        return "".join(self._pieces)

    def record(self) -> ThoughtRecord:
        """Returns the thoughts so far, within the limits for the next turn."""
        blocks = self._whole_blocks()
        has_text = any(block.get(text_member_of(block)) for bs in blocks.values() for block in bs)
        calls = {
            call_key(self._call_ids.get(index), index): members
            for index, members in self._call_members.items()
        }
        text = "" if has_text or self._style == "signatures" else self.whole()[-MAX_THOUGHT_CHARS:]
        return ThoughtRecord(text, self.field, self._server, blocks, dict(self._members), calls)

    def take_unsent(self, *, late: bool = False) -> ThoughtRecord | None:
        """Returns the thoughts to send to the client now; None: nothing new.

        late: the answer is complete, so only a new signature of its tool calls matters.
        """
        has_more = self._dropped + self._chars > self._sent_chars
        if late:
            is_new = self._has_new_signature and bool(self._call_ids)
        else:
            is_new = self._has_new_signature or has_more
        if self._send == "never" or not is_new:
            return None
        self._has_new_signature, self._sent_chars = False, self._dropped + self._chars
        record = self.record()
        is_wanted = self._send == "always" or self._style is not None or record.is_signed
        return record if is_wanted else None

    def store(self) -> None:
        """The turn is complete: passes its thoughts to `keep`."""
        has_any = self._pieces or self._blocks or self._members or self._call_members
        if self._keep is not None and has_any:
            self._keep(list(self._call_ids.values()), self.record())

    def _whole_blocks(self) -> dict[str, list[dict[str, Any]]]:
        """Returns the blocks with their texts, without the oldest ones if they are too long."""
        text = self.whole()
        whole: deque[_Block] = deque()
        left = MAX_THOUGHT_CHARS
        ends: dict[str, int] = {}
        for member, hidden, at in reversed(self._blocks):
            block = dict(hidden)
            if text_member := text_member_of(block):
                begin, end = at - self._dropped, ends.get(member, len(text))
                ends[member] = begin
                block[text_member] = shown = text[max(0, begin) : max(0, end)]
                room = max(0, left - len(dumps(hidden)))
                if begin < 0 or len(shown) > room:
                    if is_opaque_block(block):
                        break  # its signature covers the whole text
                    block[text_member] = shown[len(shown) - room :] if len(shown) > room else shown
            left -= len(dumps(hidden)) + len(str(block.get(text_member, "")))
            if left < 0:
                break
            whole.appendleft(_Block(member, block, at))
        blocks: dict[str, list[dict[str, Any]]] = {}
        for member, block, _ in whole:
            blocks.setdefault(member, []).append(block)
        return blocks
