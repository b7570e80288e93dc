"""Converts the input of the Responses API, a text or items, to chat messages.

The input has one item for each text and each call of the model. Neighbouring ones become one
assistant message. The content of a reasoning item is noted in the message that it belongs to; see
gateway.apis.history.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from gateway.apis.content import PARAGRAPH_BREAK, message_content, text_part, tool_result_text
from gateway.apis.history import hand_back, note_shown
from gateway.apis.json import convert, unsupported
from gateway.apis.responses.tools import custom_arguments, flat_name
from gateway.core.thoughts import Shown, ThoughtRecord
from gateway.errors import BadRequest, NotFound


class InputText(msgspec.Struct, frozen=True, tag="input_text"):
    text: str


class OutputText(msgspec.Struct, frozen=True, tag="output_text"):
    text: str


class PlainText(msgspec.Struct, frozen=True, tag="text"):
    text: str


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    refusal: str


class InputImage(msgspec.Struct, frozen=True, tag="input_image"):
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None


class InputFile(msgspec.Struct, frozen=True, tag="input_file"):
    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None
    file_url: str | None = None


class InputAudio(msgspec.Struct, frozen=True, tag="input_audio"):
    input_audio: dict[str, Any]


class ReasoningText(msgspec.Struct, frozen=True, tag="reasoning_text"):
    """Not sent to the model."""


class SummaryText(msgspec.Struct, frozen=True, tag="summary_text"):
    """Not sent to the model."""


InputPart = (
    InputText
    | OutputText
    | PlainText
    | Refusal
    | InputImage
    | InputFile
    | InputAudio
    | ReasoningText
    | SummaryText
)


class _MessageItem(msgspec.Struct, frozen=True):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[InputPart]


class _CallItem(msgspec.Struct, frozen=True):
    call_id: str
    name: str
    arguments: str
    namespace: str | None = None


class _CustomCallItem(msgspec.Struct, frozen=True):
    call_id: str
    name: str
    input: str
    namespace: str | None = None


class _CallOutputItem(msgspec.Struct, frozen=True):
    call_id: str
    output: str | list[InputPart]


def chat_messages(
    instructions: str | None,
    items: Sequence[tuple[int, Any]],
    open_seal: Callable[[str], ThoughtRecord | None],
) -> list[dict[str, Any]]:
    """Returns the chat messages. Raises BadRequest or NotFound with the path of the faulty member.

    items: with their numbers in the request. open_seal: see Sealer.open.
    """
    messages = _ChatMessages(open_seal)
    if instructions:
        messages.add_system(instructions)
    for at, item in items:
        messages.add_item(item, f"input[{at}]")
    return messages.close()


class _ChatMessages:
    """Builds the chat messages, item by item."""

    def __init__(self, open_seal: Callable[[str], ThoughtRecord | None]) -> None:
        self._open_seal = open_seal
        self._thoughts: ThoughtRecord | None = None
        self._shown = Shown()
        """Like `_thoughts`, it is from the last reasoning item, for the model's next message."""
        self._messages: list[dict[str, Any]] = []
        self._attachments: list[dict[str, Any]] = []
        """Images and files of the last tool results, for a user message after these."""

    def add_item(self, item: Any, path: str) -> None:
        item = convert(item, dict[str, Any], path)
        match item.get("type") or "message":
            case "message":
                message = convert(item, _MessageItem, path)
                parts = _parts(message.content, f"{path}.content")
                if message.role == "assistant":
                    # A message that held only reasoning is dropped.
                    if text := _text(parts, f"{path}.content", "assistant"):
                        self._add_assistant(text)
                elif message.role == "user":
                    self._add_user(message_content(parts))
                else:
                    self.add_system(_text(parts, f"{path}.content", message.role))
            case "function_call":
                call = convert(item, _CallItem, path)
                name = flat_name(call.namespace, call.name)
                function = {"name": name, "arguments": call.arguments}
                chat_call = {"id": call.call_id, "type": "function", "function": function}
                self._add_assistant("", chat_call)
            case "custom_tool_call":
                custom = convert(item, _CustomCallItem, path)
                name = flat_name(custom.namespace, custom.name)
                function = {"name": name, "arguments": custom_arguments(custom.input)}
                self._add_assistant(
                    "", {"id": custom.call_id, "type": "function", "function": function}
                )
            case "function_call_output" | "custom_tool_call_output":
                self._add_result(convert(item, _CallOutputItem, path), f"{path}.output")
            case "reasoning":
                seal = item.get("encrypted_content")
                thoughts = self._open_seal(seal) if isinstance(seal, str) else None
                trace, summary = _texts(item.get("content")), _texts(item.get("summary"))
                self._add_thoughts(thoughts, Shown(trace, summary))
            case "item_reference":
                raise NotFound(
                    f"Item with id '{item.get('id')}' not found: the gateway stores no items; send "
                    "the items themselves (store: false).",
                    param=path,
                )
            case type:
                raise unsupported(f"{path}.type", f"the model server can't read {type!r} items")

    def _add_thoughts(self, thoughts: ThoughtRecord | None, shown: Shown) -> None:
        """Notes thoughts in the last message if that is the model's, else in its next one."""
        if self._messages and self._messages[-1]["role"] == "assistant":
            hand_back(self._messages[-1], thoughts)
            note_shown(self._messages[-1], shown)
        else:
            self._thoughts, self._shown = thoughts, shown

    def add_system(self, text: str) -> None:
        """Adds a system message."""
        self._add_attachments()
        self._messages.append({"role": "system", "content": text})

    def close(self) -> list[dict[str, Any]]:
        """Returns the messages."""
        self._add_attachments()
        return self._messages

    def _add_user(self, content: str | list[dict[str, Any]]) -> None:
        self._add_attachments()
        self._messages.append({"role": "user", "content": content})

    def _add_assistant(self, text: str, call: dict[str, Any] | None = None) -> None:
        """Adds to the last assistant message, or begins one."""
        self._add_attachments()
        last = self._messages[-1] if self._messages else None
        if last is None or last["role"] != "assistant":
            last = {"role": "assistant", "content": None}
            self._messages.append(last)
        hand_back(last, self._thoughts)
        note_shown(last, self._shown)
        self._thoughts, self._shown = None, Shown()
        if text:
            before = last["content"]
            last["content"] = f"{before}{PARAGRAPH_BREAK}{text}" if before else text
        if call is not None:
            last.setdefault("tool_calls", []).append(call)

    def _add_result(self, result: _CallOutputItem, path: str) -> None:
        text = tool_result_text(_parts(result.output, path), self._attachments)
        self._messages.append({"role": "tool", "tool_call_id": result.call_id, "content": text})

    def _add_attachments(self) -> None:
        """Adds the attachments as a user message, after the last of the results."""
        if self._attachments:
            self._messages.append({"role": "user", "content": self._attachments})
            self._attachments = []


def _texts(parts: Any) -> str:
    """Returns the text of the parts of a reasoning item."""
    found = parts if isinstance(parts, list) else ()
    texts = (part.get("text") for part in found if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _parts(content: str | list[InputPart], path: str) -> list[dict[str, Any]]:
    """Returns the content parts of a chat message."""
    if isinstance(content, str):
        return [text_part(content)]
    parts = (_part(part, f"{path}[{at}]") for at, part in enumerate(content))
    return [part for part in parts if part is not None]


def _part(part: InputPart, path: str) -> dict[str, Any] | None:
    match part:
        case InputText(text) | OutputText(text) | PlainText(text) | Refusal(text):
            return text_part(text)
        case InputImage(str() as url, detail):
            image = {"url": url} if detail is None else {"url": url, "detail": detail}
            return {"type": "image_url", "image_url": image}
        case InputImage():
            raise BadRequest(
                f"{path}.image_url: it is required; the gateway stores no files.",
                param=f"{path}.image_url",
            )
        case InputFile(data, name, id, None) if data or id:
            members = {"file_data": data, "filename": name, "file_id": id}
            file = {member: value for member, value in members.items() if value is not None}
            return {"type": "file", "file": file}
        case InputFile():
            raise BadRequest(
                f"{path}.file_data: it is required; the gateway fetches no files.",
                param=f"{path}.file_data",
            )
        case InputAudio(audio):
            return {"type": "input_audio", "input_audio": audio}
        case ReasoningText() | SummaryText():
            return None


def _text(parts: list[dict[str, Any]], path: str, role: str) -> str:
    content = message_content(parts)
    if isinstance(content, str):
        return content
    raise BadRequest(f"{path}: a message with the role {role} can hold only text.", param=path)
