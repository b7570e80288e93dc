"""The input of the Responses API, a text or items, as the messages of a chat completion request.

Items of one turn of the model come one by one there, and are one message here: its text and its
calls. Reasoning that is handed back is not part of the conversation.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from gateway.apis.content import PARAGRAPHS, content_of, result_text, text_part
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


class _Image(msgspec.Struct, frozen=True, tag="input_image"):
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None


class _File(msgspec.Struct, frozen=True, tag="input_file"):
    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None
    file_url: str | None = None


class _Audio(msgspec.Struct, frozen=True, tag="input_audio"):
    input_audio: dict[str, Any]


class _ReasoningText(msgspec.Struct, frozen=True, tag="reasoning_text"):
    """Handed back by the client; it is not part of the conversation."""


class _SummaryText(msgspec.Struct, frozen=True, tag="summary_text"):
    """As above."""


_Part = (
    _InputText
    | _OutputText
    | _PlainText
    | _Refusal
    | _Image
    | _File
    | _Audio
    | _ReasoningText
    | _SummaryText
)


class _Message(msgspec.Struct, frozen=True):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[_Part]


class _Call(msgspec.Struct, frozen=True):
    call_id: str
    name: str
    arguments: str


class _CallOutput(msgspec.Struct, frozen=True):
    call_id: str
    output: str | list[_Part]


def chat_messages(
    instructions: str | None, input: str | Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The messages. Raises BadRequest with the path of the fault."""
    messages = _Messages()
    if instructions:
        messages.system(instructions)
    items = [{"role": "user", "content": input}] if isinstance(input, str) else input
    for at, item in enumerate(items):
        messages.add(item, f"input[{at}]")
    return messages.close()


class _Messages:
    """Grows by items."""

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []
        self._shown: list[dict[str, Any]] = []

    def add(self, item: dict[str, Any], path: str) -> None:
        match item.get("type") or "message":
            case "message":
                message = convert(item, _Message, path)
                parts = _parts(message.content, f"{path}.content")
                if message.role == "assistant":
                    # What was only thoughts is no message any more.
                    if text := _text_of(parts, f"{path}.content", "assistant"):
                        self._assistant(text)
                elif message.role == "user":
                    self.user(content_of(parts))
                else:
                    self.system(_text_of(parts, f"{path}.content", message.role))
            case "function_call":
                call = convert(item, _Call, path)
                function = {"name": call.name, "arguments": call.arguments}
                asked = {"id": call.call_id, "type": "function", "function": function}
                self._assistant("", asked)
            case "function_call_output":
                self._result(convert(item, _CallOutput, path), f"{path}.output")
            case "reasoning":
                pass
            case "item_reference":
                raise NotFound(
                    f"Item with id '{item.get('id')}' not found: the gateway keeps no items; send "
                    "them whole (store: false).",
                    param=path,
                )
            case type:
                raise unsupported(f"{path}.type", f"{type!r} is not an item that can be sent on")

    def system(self, text: str) -> None:
        """Leading ones become one, because many chat templates take no more."""
        last = self._messages[-1] if self._messages else None
        if last is not None and last["role"] == "system":
            last["content"] += PARAGRAPHS + text
        else:
            self._messages.append({"role": "system", "content": text})

    def user(self, content: str | list[dict[str, Any]]) -> None:
        self._show()
        self._messages.append({"role": "user", "content": content})

    def close(self) -> list[dict[str, Any]]:
        self._show()
        return self._messages

    def _assistant(self, text: str, call: dict[str, Any] | None = None) -> None:
        self._show()
        last = self._messages[-1] if self._messages else None
        if last is None or last["role"] != "assistant":
            last = {"role": "assistant", "content": None}
            self._messages.append(last)
        if text:
            last["content"] = f"{last['content']}{PARAGRAPHS}{text}" if last["content"] else text
        if call is not None:
            last.setdefault("tool_calls", []).append(call)

    def _result(self, result: _CallOutput, path: str) -> None:
        text = result_text(_parts(result.output, path), self._shown)
        self._messages.append({"role": "tool", "tool_call_id": result.call_id, "content": text})

    def _show(self) -> None:
        if self._shown:
            self._messages.append({"role": "user", "content": self._shown})
            self._shown = []


def _parts(content: str | list[_Part], path: str) -> list[dict[str, Any]]:
    """The parts for a chat completion request."""
    if isinstance(content, str):
        return [text_part(content)]
    return [
        made
        for at, part in enumerate(content)
        if (made := _part(part, f"{path}[{at}]")) is not None
    ]


def _part(part: _Part, path: str) -> dict[str, Any] | None:
    match part:
        case _InputText(text) | _OutputText(text) | _PlainText(text) | _Refusal(text):
            return text_part(text)
        case _Image(str() as url, detail):
            image = {"url": url} if detail is None else {"url": url, "detail": detail}
            return {"type": "image_url", "image_url": image}
        case _Image():
            raise BadRequest(
                f"{path}.image_url: it is required; the gateway keeps no files.",
                param=f"{path}.image_url",
            )
        case _File(data, name, id, None) if data or id:
            members = {"file_data": data, "filename": name, "file_id": id}
            file = {member: value for member, value in members.items() if value is not None}
            return {"type": "file", "file": file}
        case _File():
            raise BadRequest(
                f"{path}.file_data: it is required; the gateway fetches no files.",
                param=f"{path}.file_data",
            )
        case _Audio(audio):
            return {"type": "input_audio", "input_audio": audio}
        case _ReasoningText() | _SummaryText():
            return None


def _text_of(parts: list[dict[str, Any]], path: str, role: str) -> str:
    content = content_of(parts)
    if isinstance(content, str):
        return content
    raise BadRequest(f"{path}: a message of the role {role} can hold text only.", param=path)
