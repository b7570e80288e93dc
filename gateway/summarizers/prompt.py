"""The prompt in one line: its opening, which names the topic, and what is actually asked.

No model is called: the line is there before the upstream is. Only the two ends of a long prompt are
looked at, so that the time does not grow with its length.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.summarizers.sentences import sentences
from gateway.summarizers.text import cut, one_line, words

MAX_WORDS = 30
MAX_CHARS = 160
_OPENING_WORDS = 10
_WINDOW_CHARS = 2000
_NO_TEXT = "(no text)"

_FENCE = re.compile(r"```([\w+#.-]*)[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
_ASKS = re.compile(
    r"(?:what|why|how|when|where|which|who|explain|write|give|list|show|find|fix|translate|compare|"
    r"describe|summari[sz]e|calculate|solve|create|make|tell|help|implement|prove|convert)\b",
    re.IGNORECASE,
)
_WANTS = re.compile(
    r"\b(?:I need|I want|I'd like|please|your task|can you|could you)\b", re.IGNORECASE
)
_POLITE = re.compile(r"^(?:please|can you|could you|hi|hello|hey)[\s,!]+", re.IGNORECASE)


def summarize_prompt(messages: Sequence[Mapping[str, Any]]) -> str:
    """One line of at most 30 words and 160 characters about the last user message."""
    text, attachments = _last_user_message(messages)
    line = _line(text)
    if attachments:
        line = f"{cut(line, MAX_WORDS - 4, MAX_CHARS - len(attachments) - 1)} {attachments}".strip()
    return line or _NO_TEXT


def _line(text: str) -> str:
    if len(text) > 2 * _WINDOW_CHARS:
        text = f"{text[:_WINDOW_CHARS]}\n{text[-_WINDOW_CHARS:]}"
    text = _FENCE.sub(_name_code, text)
    whole = one_line(text)
    if len(whole) <= MAX_CHARS and words(whole) <= MAX_WORDS:
        return whole
    found = sentences(text)
    best = max(range(len(found)), key=lambda i: (_ask_score(found, i), i))
    ask = one_line(_POLITE.sub("", found[best]))
    if best == 0:
        return cut(ask, MAX_WORDS, MAX_CHARS)
    opening = cut(one_line(found[0]), _OPENING_WORDS, MAX_CHARS // 2).rstrip("…")
    left = MAX_WORDS - words(opening)
    return f"{opening} … {cut(ask, left - 1, MAX_CHARS - len(opening) - 3)}"


def _ask_score(found: Sequence[str], index: int) -> float:
    sentence = found[index]
    return (
        2.5 * sentence.endswith(("?", "？"))
        + 2.5 * bool(_ASKS.match(_POLITE.sub("", sentence)))
        + 1.5 * bool(_WANTS.search(sentence))
        + 0.8 * (index == 0)
        + 0.7 * (index == len(found) - 1)
        - 0.03 * max(0.0, words(sentence) - 20)
        - 1.0 * sentence.startswith(("-", "*", "•"))
    )


def _name_code(fence: re.Match[str]) -> str:
    language, code = fence.groups()
    lines = code.count("\n") + (not code.endswith("\n"))
    return f" ⟨{language or 'code'}, {lines} line{'s' if lines != 1 else ''}⟩ "


def _last_user_message(messages: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The text of the last user message and a phrase that names what is attached to it."""
    content = next((m.get("content") for m in reversed(messages) if m.get("role") == "user"), None)
    if isinstance(content, str):
        return content, ""
    if not isinstance(content, list):
        return "", ""
    texts = []
    kinds: dict[str, int] = {}
    for part in content:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part, dict):
            kind = str(part.get("type", "")).removeprefix("input_").removesuffix("_url")
            kind = kind if kind in ("image", "audio", "file", "video") else "attachment"
            kinds[kind] = kinds.get(kind, 0) + 1
    named = [f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in kinds.items()]
    return "\n".join(texts), f"+ {', '.join(named)}" if named else ""
