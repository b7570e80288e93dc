"""Converts the input of the Responses API, a text or items, to chat messages.

The input has one item for each text and each call of the model; here, neighbouring ones become one
assistant message. Reasoning items are dropped; see gateway.apis.history.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from gateway.apis.content import PARAGRAPH_BREAK, message_content, text_part, tool_result_text
from gateway.apis.json import convert, unsupported
from gateway.errors import BadRequest, NotFound


class _InputText(msgspec.Struct, frozen=True, tag="input_text"):
    text: str


class _OutputText(msgspec.Struct, frozen=True, tag="output_text"):
    text: str


class _PlainText(msgspec.Struct, frozen=True, tag="text"):
    text: str


class _Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    refusal: str


class _InputImage(msgspec.Struct, frozen=True, tag="input_image"):
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None


class _InputFile(msgspec.Struct, frozen=True, tag="input_file"):
    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None
    file_url: str | None = None


class _InputAudio(msgspec.Struct, frozen=True, tag="input_audio"):
    input_audio: dict[str, Any]


class _ReasoningText(msgspec.Struct, frozen=True, tag="reasoning_text"):
    """Not sent to the model."""


class _SummaryText(msgspec.Struct, frozen=True, tag="summary_text"):
    """Not sent to the model."""


_InputPart = (
    _InputText
    | _OutputText
    | _PlainText
    | _Refusal
    | _InputImage
    | _InputFile
    | _InputAudio
    | _ReasoningText
    | _SummaryText
)


class _MessageItem(msgspec.Struct, frozen=True):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[_InputPart]


class _CallItem(msgspec.Struct, frozen=True):
    call_id: str
    name: str
    arguments: str


class _CallOutputItem(msgspec.Struct, frozen=True):
    call_id: str
    output: str | list[_InputPart]


def chat_messages(
    instructions: str | None, input: str | Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Returns the chat messages. Raises BadRequest or NotFound that names the path of the fault."""
    messages = _ChatMessages()
    if instructions:
        messages.add_system(instructions)
    items = [{"role": "user", "content": input}] if isinstance(input, str) else input
    for at, item in enumerate(items):
        messages.add_item(item, f"input[{at}]")
    return messages.close()


class _ChatMessages:
    """Builds the chat messages, item by item."""

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []
        self._attachments: list[dict[str, Any]] = []
        """Images and files of the tool results that have been added last."""

    def add_item(self, item: dict[str, Any], path: str) -> None:
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
                function = {"name": call.name, "arguments": call.arguments}
                chat_call = {"id": call.call_id, "type": "function", "function": function}
                self._add_assistant("", chat_call)
            case "function_call_output":
                self._add_result(convert(item, _CallOutputItem, path), f"{path}.output")
            case "reasoning":
                pass
            case "item_reference":
                raise NotFound(
                    f"Item with id '{item.get('id')}' not found: the gateway stores no items; send "
                    "the items themselves (store: false).",
                    param=path,
                )
            case type:
                raise unsupported(f"{path}.type", f"the model server can't read {type!r} items")

    def add_system(self, text: str) -> None:
        """Adds a system message, or joins it to one before: many chat templates accept only one."""
        last = self._messages[-1] if self._messages else None
        if last is not None and last["role"] == "system":
            last["content"] += PARAGRAPH_BREAK + text
        else:
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


def _parts(content: str | list[_InputPart], path: str) -> list[dict[str, Any]]:
    """Returns the content parts of a chat message."""
    if isinstance(content, str):
        return [text_part(content)]
    parts = (_part(part, f"{path}[{at}]") for at, part in enumerate(content))
    return [part for part in parts if part is not None]


def _part(part: _InputPart, path: str) -> dict[str, Any] | None:
    match part:
        case _InputText(text) | _OutputText(text) | _PlainText(text) | _Refusal(text):
            return text_part(text)
        case _InputImage(str() as url, detail):
            image = {"url": url} if detail is None else {"url": url, "detail": detail}
            return {"type": "image_url", "image_url": image}
        case _InputImage():
            raise BadRequest(
                f"{path}.image_url: it is required; the gateway stores no files.",
                param=f"{path}.image_url",
            )
        case _InputFile(data, name, id, None) if data or id:
            members = {"file_data": data, "filename": name, "file_id": id}
            file = {member: value for member, value in members.items() if value is not None}
            return {"type": "file", "file": file}
        case _InputFile():
            raise BadRequest(
                f"{path}.file_data: it is required; the gateway fetches no files.",
                param=f"{path}.file_data",
            )
        case _InputAudio(audio):
            return {"type": "input_audio", "input_audio": audio}
        case _ReasoningText() | _SummaryText():
            return None


def _text(parts: list[dict[str, Any]], path: str, role: str) -> str:
    content = message_content(parts)
    if isinstance(content, str):
        return content
    raise BadRequest(f"{path}: a message with the role {role} can hold only text.", param=path)
