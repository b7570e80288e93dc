"""Converts the messages of Ollama's API to chat messages.

Only the newest message of the user is refused for its form. The others are history, which the user
can't change. Results of tools without an id or a name belong to the calls before them, in order:
Home Assistant sends no ids.
"""

import base64
import binascii
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from gateway.apis.content import cannot_read, text_part
from gateway.apis.history import newest_of_user, note_shown, reasoning_in, valid_arguments
from gateway.apis.json import convert
from gateway.config import ReasoningMode
from gateway.core.thoughts import Shown
from gateway.errors import BadRequest

_MAGIC = ((b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))
"""First bytes of an image → its type, which Ollama's clients do not send."""
_ROLES = ("system", "user", "assistant", "tool")


class RequestMessage(msgspec.Struct, frozen=True):
    """The required form of the user's newest message."""

    role: str
    content: str | None = None
    images: list[str] | None = None


def chat_messages(messages: Sequence[Any], mode: ReasoningMode) -> list[dict[str, Any]]:
    """Returns the chat messages. Raises BadRequest with the path of the faulty member.

    mode: the reasoning that the client was shown.
    """
    # Without any message of the user, the first one is refused if it can't be read.
    newest = max(newest_of_user(messages, lambda message: _role(message) == "user"), 0)
    calls = _CallIds()
    found: list[dict[str, Any]] = []
    for at, message in enumerate(messages):
        if at == newest:
            convert(message, RequestMessage, f"messages[{at}]")
            if _role(message) not in _ROLES:
                path = f"messages[{at}].role"
                raise BadRequest(f"{path}: it must be one of {', '.join(_ROLES)}.", param=path)
        made = list(_chat_message(message, calls, f"messages[{at}]" if at == newest else None))
        if made and _role(message) == "assistant":
            note_shown(made[0], Shown.of(reasoning_in(message), mode))
        found += made
    return found


def user_message(text: str, images: Sequence[Any], path: str | None) -> dict[str, Any]:
    """Returns a message of the user.

    path: the path of the message in the request, to refuse a faulty image with BadRequest. None: a
    text takes the place of a faulty image.
    """
    parts = []
    for at, image in enumerate(images):
        if (url := _image_url(image)) is not None:
            parts.append({"type": "image_url", "image_url": {"url": url}})
        elif path is None:
            parts.append(text_part(cannot_read("image", image if isinstance(image, str) else None)))
        else:
            where = f"{path}.images[{at}]".strip(".")
            raise BadRequest(
                f"{where}: it must be a PNG, JPEG, WebP or GIF image in base64.", param=where
            )
    if not parts:
        return {"role": "user", "content": text}
    return {"role": "user", "content": [*([text_part(text)] if text else []), *parts]}


class _CallIds:
    """The ids of tool calls: those that the client sent, and new ones for the other calls."""

    def __init__(self) -> None:
        self._made = 0
        self._open: set[int] = set()
        """The numbers of the calls that have no result yet."""
        self._ids: list[str] = []
        self._by: dict[tuple[str, str], deque[int]] = defaultdict(deque)
        """Calls by `("id", id)`, by `("name", name)` and all by `("", "")`, the oldest first."""

    def call(self, id: Any, name: str) -> str:
        """Returns the id of the next call."""
        if isinstance(id, str) and id:
            known = id
        else:
            self._made += 1
            known = f"call_{self._made}"
        number = len(self._ids)
        self._ids.append(known)
        self._open.add(number)
        for key in (("id", known), ("name", name), ("", "")):
            self._by[key].append(number)
        return known

    def result(self, id: Any, name: Any) -> str | None:
        """Returns the id of the call that a result belongs to; None: there is no such call."""
        found = self._oldest("id", id)
        found = self._oldest("name", name) if found is None else found
        if found is None and not id and not name:
            found = self._oldest("", "")
        if found is None:
            return None
        self._open.remove(found)
        return self._ids[found]

    def _oldest(self, member: str, value: Any) -> int | None:
        """Returns the oldest open call with this value."""
        calls = self._by.get((member, value)) if isinstance(value, str) else None
        while calls and calls[0] not in self._open:
            calls.popleft()
        return calls[0] if calls else None


def _chat_message(message: Any, calls: _CallIds, path: str | None) -> Iterator[dict[str, Any]]:
    """Yields the chat message; none if the message can't be read.

    path: see user_message.
    """
    role = _role(message)
    content = message.get("content") if isinstance(message, dict) else None
    text = content if isinstance(content, str) else ""
    match role:
        case "system":
            yield {"role": "system", "content": text}
        case "user":
            images = message.get("images")
            yield user_message(text, images if isinstance(images, list) else (), path)
        case "assistant":
            made = list(_tool_calls(message.get("tool_calls"), calls))
            if made:
                yield {"role": "assistant", "content": text or None, "tool_calls": made}
            elif text:
                yield {"role": "assistant", "content": text}
        case "tool":
            name = message.get("tool_name") or message.get("name")
            id = calls.result(message.get("tool_call_id"), name)
            if id is None:  # servers refuse a result without its call
                yield {"role": "user", "content": f"[tool result]\n{text}"}
            else:
                yield {"role": "tool", "tool_call_id": id, "content": text}


def _tool_calls(made: Any, calls: _CallIds) -> Iterator[dict[str, Any]]:
    for call in made if isinstance(made, list) else ():
        function = call.get("function") if isinstance(call, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if isinstance(function, dict) and isinstance(name, str) and name:
            arguments = valid_arguments(function.get("arguments"))
            yield {
                "id": calls.call(call.get("id"), name),
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }


def _role(message: Any) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    return role.lower() if isinstance(role, str) else ""


def _image_url(image: Any) -> str | None:
    """Returns the image as a data URL, or None if its type is not known."""
    if not isinstance(image, str):
        return None
    if image.startswith("data:image/"):
        return image
    try:
        head = base64.b64decode(image[:16], validate=True)
    except (binascii.Error, ValueError):
        return None
    for magic, type in _MAGIC:
        if head.startswith(magic):
            return f"data:image/{type};base64,{image}"
    return None
