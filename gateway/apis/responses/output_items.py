"""An answer as output items, as the Responses API has them: reasoning, messages, function calls.

An item is over when another one begins, except calls: servers may send pieces of several in turns,
so a call is over when its arguments are whole JSON and something else follows, or at the end.
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from gateway.apis.base import Answer
from gateway.apis.tool_calls import piece_of
from gateway.core.sse import dumps, quote


class Sink(Protocol):
    """Is told each step."""

    def event(self, type: str, **members: Any) -> None:
        """An event, as it is then: what is mutable in it may grow afterwards."""

    def delta(self, type: str, where: str, text: str) -> None:
        """A piece of text; `where` is further members, as JSON without braces."""


class _Kind(msgspec.Struct, frozen=True):
    """How a kind of part is called in the events."""

    holder: str
    """The member of its item that it is in."""
    part: str
    text: str
    index: str
    member: str = "text"
    empty: Mapping[str, Any] = {}
    """What it has beside its text."""


_CONTENT = "response.content_part"
_KINDS = {
    "summary_text": _Kind(
        "summary",
        "response.reasoning_summary_part",
        "response.reasoning_summary_text",
        "summary_index",
    ),
    "reasoning_text": _Kind("content", _CONTENT, "response.reasoning_text", "content_index"),
    "output_text": _Kind(
        "content",
        _CONTENT,
        "response.output_text",
        "content_index",
        empty={"annotations": [], "logprobs": []},
    ),
    "refusal": _Kind("content", _CONTENT, "response.refusal", "content_index", "refusal"),
}


class _Part:
    """A text within an item, while it grows."""

    def __init__(
        self, sink: Sink, type: str, place: Mapping[str, Any], item: dict[str, Any]
    ) -> None:
        self._sink = sink
        self._kind = kind = _KINDS[type]
        self._pieces: list[str] = []
        parts = item.setdefault(kind.holder, [])
        self._place = {**place, kind.index: len(parts)}
        self.part: dict[str, Any] = {"type": type, kind.member: ""}
        self.part |= {name: list(value) for name, value in kind.empty.items()}
        parts.append(self.part)
        sink.event(f"{kind.part}.added", **self._place, part=self.part)
        logprobs = ',"logprobs":[]' if "logprobs" in self.part else ""
        self._where = dumps(self._place)[1:-1] + logprobs

    def grow(self, text: str) -> None:
        self._pieces.append(text)
        self._sink.delta(f"{self._kind.text}.delta", self._where, text)

    def rate(self, logprobs: list[Any]) -> None:
        """Adds the logprobs of the text that grew last."""
        self.part["logprobs"] += logprobs
        self._sink.event("response.output_text.delta", **self._place, delta="", logprobs=logprobs)

    def close(self) -> None:
        kind = self._kind
        said = {kind.member: "".join(self._pieces)}
        self.part |= said
        if "logprobs" in self.part:
            said["logprobs"] = self.part["logprobs"]
        self._sink.event(f"{kind.text}.done", **self._place, **said)
        self._sink.event(f"{kind.part}.done", **self._place, part=self.part)


class _Item:
    """An item of text: reasoning or a message."""

    def __init__(self, sink: Sink, index: int, item: dict[str, Any]) -> None:
        self._sink = sink
        self._index = index
        self._place = {"item_id": item["id"], "output_index": index}
        self._parts: dict[str, _Part] = {}
        self.item = item
        sink.event("response.output_item.added", output_index=index, item=item)

    @property
    def type(self) -> str:
        return str(self.item["type"])

    def write(self, type: str, text: str) -> None:
        """Adds to the open part of a type, or opens one."""
        if type not in self._parts:
            self._parts[type] = _Part(self._sink, type, self._place, self.item)
        self._parts[type].grow(text)

    def add(self, type: str, text: str) -> None:
        """Adds a part that is whole."""
        part = _Part(self._sink, type, self._place, self.item)
        part.grow(text)
        part.close()

    def rate(self, logprobs: list[Any]) -> None:
        if "output_text" in self._parts:
            self._parts["output_text"].rate(logprobs)

    def close(self, status: str) -> None:
        for part in self._parts.values():
            part.close()
        self.item["status"] = status
        self._sink.event("response.output_item.done", output_index=self._index, item=self.item)


class _Call:
    """A function call. Its item begins with its arguments, because its name is whole then."""

    def __init__(self, sink: Sink, index: int, id: str, otherwise: str) -> None:
        self._sink = sink
        self._index = index
        self._id = id
        self._pieces: list[str] = []
        self._where = ""
        self.item: dict[str, Any] = {
            "id": id,
            "type": "function_call",
            "status": "in_progress",
            "call_id": otherwise,
            "name": "",
            "arguments": "",
        }

    def add(self, call: Mapping[str, Any]) -> None:
        piece = piece_of(call)
        if not self._where:
            self.item["call_id"] = piece.id or self.item["call_id"]
            self.item["name"] += piece.name
        if piece.arguments:
            self.begin()
            self._pieces.append(piece.arguments)
            self._sink.delta("response.function_call_arguments.delta", self._where, piece.arguments)

    def begin(self) -> None:
        if not self._where:
            self._where = f'"item_id":{quote(self._id)},"output_index":{self._index}'
            self._sink.event("response.output_item.added", output_index=self._index, item=self.item)

    def is_whole(self) -> bool:
        try:
            json.loads("".join(self._pieces))
        except (ValueError, RecursionError):
            return False
        return True

    def close(self, status: str) -> None:
        self.begin()
        self.item |= {"arguments": "".join(self._pieces), "status": status}
        said = {name: self.item[name] for name in ("name", "arguments")}
        place = {"item_id": self._id, "output_index": self._index}
        self._sink.event("response.function_call_arguments.done", **place, **said)
        self._sink.event("response.output_item.done", output_index=self._index, item=self.item)


class Items:
    """The items of one answer, in the order in which they began."""

    def __init__(self, answer: Answer, sink: Sink) -> None:
        self._answer = answer
        self._sink = sink
        self._open: _Item | None = None
        self._calls: dict[Any, _Call] = {}
        self.output: list[dict[str, Any]] = []

    def write(self, type: str, text: str) -> None:
        """Text of the answer, or of a refusal."""
        self._text_item("message").write(type, text)

    def trace(self, text: str) -> None:
        """A piece of the reasoning itself."""
        self._text_item("reasoning").write("reasoning_text", text)

    def summarize(self, paragraph: str) -> None:
        """A paragraph of a summary."""
        self._text_item("reasoning").add("summary_text", paragraph)

    def rate(self, logprobs: list[Any]) -> None:
        """The logprobs of the answer's last text."""
        if self._open is not None:
            self._open.rate(logprobs)

    def call(self, call: Mapping[str, Any]) -> None:
        """A piece of a function call."""
        key = call.get("index")
        if key not in self._calls:
            self._follow()
            index = len(self.output)
            otherwise = f"call_{self._answer.id}_{index}"
            self._calls[key] = _Call(self._sink, index, self._id("fc"), otherwise)
            self.output.append(self._calls[key].item)
        self._calls[key].add(call)

    def close(self, status: str) -> None:
        """The answer is over; what is still open is `completed` or `incomplete`."""
        for item in [*self._calls.values(), self._open]:
            if item is not None:
                item.close(status)
        self._calls.clear()
        self._open = None

    def _text_item(self, type: str) -> _Item:
        """The open item if it is of this type, else a new one."""
        if self._open is None or self._open.type != type:
            self._follow()
            head: dict[str, Any] = {"id": self._id("rs"), "type": type, "summary": []}
            if type == "message":
                head = {"id": self._id("msg"), "type": type, "role": "assistant", "content": []}
            self._open = _Item(self._sink, len(self.output), head | {"status": "in_progress"})
            self.output.append(self._open.item)
        return self._open

    def _follow(self) -> None:
        """Something else begins: what can be whole is."""
        if self._open is not None:
            self._open.close("completed")
            self._open = None
        for key, call in list(self._calls.items()):
            call.begin()
            if call.is_whole():
                call.close("completed")
                del self._calls[key]

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{self._answer.id}_{len(self.output)}"
