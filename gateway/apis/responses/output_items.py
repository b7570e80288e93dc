"""The output-item machine of the Responses API: pieces of an answer in, `response.*` events out.

An answer is a list of items: reasoning, messages and function calls. A reasoning item or a message
has parts. Every item and every part is added, then grows by deltas, then is done.

A message, for example:

    response.output_item.added                     the item, without parts
    response.content_part.added                    its part 0, of the type output_text
    response.output_text.delta                     "The answer"
    response.output_text.delta                     " is 4."
    response.output_text.done                      "The answer is 4."
    response.content_part.done                     the whole part
    response.output_item.done                      the whole item

A function call has no parts:

    response.output_item.added                     the name is complete, the arguments are empty
    response.function_call_arguments.delta         {"x":
    response.function_call_arguments.delta         4}
    response.function_call_arguments.done          {"x":4}
    response.output_item.done                      the whole item

A call of a custom tool has an input in place of arguments. It is sent when it is complete, because
the model writes it as an argument of a function (see gateway.apis.responses.tools).

At most one reasoning item or message is open. It is done when an item of another type begins.

Several function calls may be open, because servers interleave their deltas. A call is added when
its arguments or another item begin: until then, its name may still grow. It is done when another
item begins and its arguments are complete JSON.

At the end of the answer, every open item is done. If the answer fails, no open item is done: a
client must not run an incomplete call, nor keep it in its history.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from gateway.apis.base import Answer
from gateway.apis.json_texts import ObjectPieces
from gateway.apis.responses.tools import ToolNames, custom_input
from gateway.apis.tool_calls import input_as_arguments, read_call_delta
from gateway.core.sse import dumps, quote


class EventWriter(Protocol):
    """Receives the events of the items."""

    def write_event(self, type: str, **members: Any) -> None:
        """Writes an event. It must encode the members at once, because the items change later."""

    def write_delta(self, type: str, location: str, text: str) -> None:
        """Writes a delta. location: the members that locate it, as JSON without braces."""


class _PartType(msgspec.Struct, frozen=True):
    """The names of the events and members for one type of part."""

    list_member: str
    """The member of the item that lists such parts."""
    part_event: str
    text_event: str
    index_member: str
    text_member: str = "text"
    empty_members: Mapping[str, Any] = {}
    """The members of an empty part beside its text."""


_CONTENT_PART = "response.content_part"
_PART_TYPES = {
    "summary_text": _PartType(
        "summary",
        "response.reasoning_summary_part",
        "response.reasoning_summary_text",
        "summary_index",
    ),
    "reasoning_text": _PartType(
        "content", _CONTENT_PART, "response.reasoning_text", "content_index"
    ),
    "output_text": _PartType(
        "content",
        _CONTENT_PART,
        "response.output_text",
        "content_index",
        empty_members={"annotations": [], "logprobs": []},
    ),
    "refusal": _PartType(
        "content", _CONTENT_PART, "response.refusal", "content_index", text_member="refusal"
    ),
}


class _Part:
    """A part of a reasoning item or a message. It is added to the item when it is made."""

    def __init__(
        self, writer: EventWriter, type: str, location: Mapping[str, Any], item: dict[str, Any]
    ) -> None:
        self._writer = writer
        self._type = part_type = _PART_TYPES[type]
        self._texts: list[str] = []
        parts = item.setdefault(part_type.list_member, [])
        self._location = {**location, part_type.index_member: len(parts)}
        self.part: dict[str, Any] = {"type": type, part_type.text_member: ""}
        self.part |= {name: list(value) for name, value in part_type.empty_members.items()}
        parts.append(self.part)
        writer.write_event(f"{part_type.part_event}.added", **self._location, part=self.part)
        logprobs = ',"logprobs":[]' if "logprobs" in self.part else ""
        self._delta_location = dumps(self._location)[1:-1] + logprobs

    def add_text(self, text: str) -> None:
        self._texts.append(text)
        self._writer.write_delta(f"{self._type.text_event}.delta", self._delta_location, text)

    def add_logprobs(self, logprobs: list[Any]) -> None:
        """Adds the logprobs of the last texts, in a delta without text."""
        self.part["logprobs"] += logprobs
        event = f"{self._type.text_event}.delta"
        self._writer.write_event(event, **self._location, delta="", logprobs=logprobs)

    def keep_text(self) -> dict[str, Any]:
        """Puts the text into the part of the item; returns the members that hold it."""
        members = {self._type.text_member: "".join(self._texts)}
        self.part |= members
        if "logprobs" in self.part:
            members["logprobs"] = self.part["logprobs"]
        return members

    def close(self) -> None:
        members = self.keep_text()
        self._writer.write_event(f"{self._type.text_event}.done", **self._location, **members)
        self._writer.write_event(f"{self._type.part_event}.done", **self._location, part=self.part)


class _TextItem:
    """A reasoning item or a message."""

    def __init__(self, writer: EventWriter, index: int, item: dict[str, Any]) -> None:
        self._writer = writer
        self._index = index
        self._location = {"item_id": item["id"], "output_index": index}
        self._open_parts: dict[str, _Part] = {}
        self.item = item
        writer.write_event("response.output_item.added", output_index=index, item=item)

    @property
    def type(self) -> str:
        return str(self.item["type"])

    def add_text(self, part_type: str, text: str) -> None:
        """Adds to the open part of this type, or opens one."""
        if part_type not in self._open_parts:
            part = _Part(self._writer, part_type, self._location, self.item)
            self._open_parts[part_type] = part
        self._open_parts[part_type].add_text(text)

    def add_part(self, part_type: str, text: str) -> None:
        """Adds a complete part."""
        part = _Part(self._writer, part_type, self._location, self.item)
        part.add_text(text)
        part.close()

    def add_logprobs(self, logprobs: list[Any]) -> None:
        if "output_text" in self._open_parts:
            self._open_parts["output_text"].add_logprobs(logprobs)

    def break_off(self) -> None:
        """Marks the item as incomplete, with its text so far. Writes no event."""
        for part in self._open_parts.values():
            part.keep_text()
        self.item["status"] = "incomplete"

    def close(self, status: str) -> None:
        for part in self._open_parts.values():
            part.close()
        self.item["status"] = status
        self._writer.write_event(
            "response.output_item.done", output_index=self._index, item=self.item
        )


class _CallItem:
    """A function call. Its item is added with its first arguments, when its name is complete."""

    def __init__(
        self, writer: EventWriter, index: int, answer_id: str, tool_names: ToolNames
    ) -> None:
        self._writer = writer
        self._index = index
        self._answer_id = answer_id
        self._tool_names = tool_names
        self._call_id = f"call_{answer_id}_{index}"
        self._name = ""
        self._arguments = ObjectPieces()
        self._is_custom = False
        self._input: list[str] = []
        """The pieces of a custom call's input. The complete input becomes an argument."""
        self._location = ""
        """"" until the item is added."""
        self.item: dict[str, Any] = {}
        """Empty until it is added."""

    def add(self, call: Mapping[str, Any]) -> None:
        """Adds an item of `delta.tool_calls`."""
        delta = read_call_delta(call)
        if not self._location:
            self._call_id = delta.id or self._call_id
            self._name += delta.name
        if delta.input is not None:
            self._input.append(delta.input)
        self._add_arguments(delta.arguments)

    def _add_arguments(self, arguments: str) -> None:
        if arguments:
            self.begin()
            self._arguments.append(arguments)
            if not self._is_custom:
                self._writer.write_delta(
                    "response.function_call_arguments.delta", self._location, arguments
                )

    def begin(self) -> None:
        """Writes the event that adds the item, once."""
        if self._location:
            return
        namespace, name, self._is_custom = self._tool_names.find(self._name)
        prefix, type = ("ctc", "custom_tool_call") if self._is_custom else ("fc", "function_call")
        id = f"{prefix}_{self._answer_id}_{self._index}"
        self.item |= {
            "id": id,
            "type": type,
            "status": "in_progress",
            "call_id": self._call_id,
            "name": name,
            **({"namespace": namespace} if namespace is not None else {}),
            "input" if self._is_custom else "arguments": "",
        }
        self._location = f'"item_id":{quote(id)},"output_index":{self._index}'
        self._writer.write_event(
            "response.output_item.added", output_index=self._index, item=self.item
        )

    def is_complete(self) -> bool:
        """Returns whether the arguments are complete JSON."""
        return self._arguments.is_complete()

    def close(self, status: str) -> None:
        self.begin()
        if self._input:
            self._add_arguments(input_as_arguments("".join(self._input)))
        text = self._arguments.text()
        event, member = "response.function_call_arguments", "arguments"
        if self._is_custom:
            # The input is only known when the JSON around it is complete.
            event, member, text = "response.custom_tool_call_input", "input", custom_input(text)
            self._writer.write_delta(f"{event}.delta", self._location, text)
        self.item |= {member: text, "status": status}
        members = {member: text} if self._is_custom else {"name": self.item["name"], member: text}
        self._writer.write_event(
            f"{event}.done", item_id=self.item["id"], output_index=self._index, **members
        )
        self._writer.write_event(
            "response.output_item.done", output_index=self._index, item=self.item
        )


class OutputItems:
    """The items of one answer; see the module's docstring."""

    def __init__(self, answer: Answer, writer: EventWriter) -> None:
        self._answer = answer
        self._writer = writer
        self._tool_names = ToolNames(answer.echo.get("tools") or ())
        self._open_text: _TextItem | None = None
        self._open_calls: dict[Any, _CallItem] = {}
        self.output: list[dict[str, Any]] = []
        """The items, in the order in which they began."""

    def add_text(self, text: str) -> None:
        """Adds a piece of the answer."""
        self._text_item("message").add_text("output_text", text)

    def add_refusal(self, text: str) -> None:
        """Adds a piece of a refusal."""
        self._text_item("message").add_text("refusal", text)

    def add_reasoning(self, text: str) -> None:
        """Adds a piece of the trace."""
        self._text_item("reasoning").add_text("reasoning_text", text)

    def add_summary(self, paragraph: str) -> None:
        """Adds a paragraph of a summary, as a part of its own."""
        self._text_item("reasoning").add_part("summary_text", paragraph)

    def add_seal(self, seal: str) -> None:
        """Adds the sealed thoughts to the reasoning item."""
        self._text_item("reasoning").item["encrypted_content"] = seal

    def add_logprobs(self, logprobs: list[Any]) -> None:
        """Adds the logprobs of the answer's last texts."""
        if self._open_text is not None:
            self._open_text.add_logprobs(logprobs)

    def add_call(self, call: Mapping[str, Any]) -> None:
        """Adds a piece of a function call: an item of `delta.tool_calls`."""
        key = call.get("index")
        if key not in self._open_calls:
            self._close_complete()
            item = _CallItem(self._writer, len(self.output), self._answer.id, self._tool_names)
            self._open_calls[key] = item
            self.output.append(item.item)
        self._open_calls[key].add(call)

    def add_whole(self, item: dict[str, Any]) -> None:
        """Adds an item that is complete."""
        self._close_complete()
        index = len(self.output)
        self.output.append(item)
        self._writer.write_event("response.output_item.added", output_index=index, item=item)
        self._writer.write_event("response.output_item.done", output_index=index, item=item)

    def close(self, status: str) -> None:
        """Ends the answer. status: for the open items, `completed` or `incomplete`."""
        for item in [*self._open_calls.values(), self._open_text]:
            if item is not None:
                item.close(status)
        self._open_calls.clear()
        self._open_text = None

    def break_off(self) -> None:
        """Ends a failed answer: no item is done, and open calls are removed from the output."""
        for call in self._open_calls.values():
            self.output[:] = [item for item in self.output if item is not call.item]
        if self._open_text is not None:
            self._open_text.break_off()
        self._open_calls.clear()
        self._open_text = None

    def _text_item(self, type: str) -> _TextItem:
        """Returns the open item if it has this type, else a new one."""
        if self._open_text is None or self._open_text.type != type:
            self._close_complete()
            head: dict[str, Any] = {"id": self._next_id("rs"), "type": type, "summary": []}
            if type == "message":
                head = {
                    "id": self._next_id("msg"),
                    "type": type,
                    "role": "assistant",
                    "content": [],
                }
            item = head | {"status": "in_progress"}
            self._open_text = _TextItem(self._writer, len(self.output), item)
            self.output.append(item)
        return self._open_text

    def _close_complete(self) -> None:
        """Another item begins: closes the items that can't grow any more."""
        if self._open_text is not None:
            self._open_text.close("completed")
            self._open_text = None
        for key, call in list(self._open_calls.items()):
            call.begin()  # items are added in the order of their indexes
            if call.is_complete():
                call.close("completed")
                del self._open_calls[key]

    def _next_id(self, prefix: str) -> str:
        return f"{prefix}_{self._answer.id}_{len(self.output)}"
