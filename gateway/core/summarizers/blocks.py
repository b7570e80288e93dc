"""Blocks in a prompt: code, tracebacks, logs and documents are named; what clients add is cut."""

import re

from gateway.core.summarizers.text import words

_MOST_BLOCKS = 32
"""A text with more blocks than this is shown as it is."""
_NAME_CHARS = 80
_TRACEBACK = "Traceback (most recent call last):"
_FENCE = re.compile(r"```([\w+#.-]*)[^\n]*\n?")
_LOG_LINE = re.compile(
    r"\s*(?:\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\[?\d\d:\d\d:\d\d|[A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:"
    r"|\[?(?:DEBUG|INFO|WARN|WARNING|ERROR|FATAL|TRACE)\b|at [\w.$<>/]+\(|\d+\.\d+\.\d+\.\d+ - )"
)
_LOG_LINES = 3
_ELEMENT = re.compile(r"^[ \t]*<([A-Za-z][\w:-]{0,63})(?:\s[^<>\n]{0,500})?>", re.MULTILINE)
_ASKING = frozenset(
    {
        *("question", "task", "query", "prompt", "request", "instruction", "instructions"),
        *("user", "human", "user_query", "user_input", "user_message", "userrequest", "feedback"),
    }
)
"""Elements that hold what is asked."""
_ADDED = re.compile(
    r"system|.*(?:reminder|environment|env_|instructions|ide_|_state|git_?status|rules|memory"
    r"|local-command|command-(?:name|message|args)|open_files|workspace|attached_files|timestamp"
    r"|user_info|project_layout|cwd)",
    re.IGNORECASE,
)
"""Elements that a client adds to a prompt: reminders, the environment, rules."""
_FORMAT_RULES = re.compile(
    r"^(?:To suggest changes to a file you MUST |# \*SEARCH/REPLACE block\* Rules:"
    r"|# File editing rules:|# V4A Diff Format Rules:|ONLY return code using the `)",
    re.MULTILINE,
)
"""How the rules begin that aider adds behind a prompt: how the model has to write its edits."""
_EDGE_CHARS = 2500
"""Logs are looked for in so much of each end of a text."""


def name_blocks(text: str) -> str:
    """The text with ⟨python, 42 lines⟩ in place of code and the last line in place of a log."""
    if (rules := _FORMAT_RULES.search(text)) is not None and words(text[: rules.start()]):
        text = text[: rules.start()]
    if 0 < text.count("```") <= 2 * _MOST_BLOCKS:
        text = _name_code(text)
    if "</" in text:
        text = _name_elements(text)
    if 0 < text.count(_TRACEBACK) <= _MOST_BLOCKS:
        text = _name_tracebacks(text)
    if len(text) > 2 * _EDGE_CHARS:
        head, tail = text[:_EDGE_CHARS], text[-_EDGE_CHARS:]
        text = f"{head[: head.rfind(chr(10)) + 1] or head}\n{tail[tail.find(chr(10)) + 1 :]}"
    return _name_logs(text)


def _name_code(text: str) -> str:
    named = []
    at = 0
    while (begin := text.find("```", at)) >= 0:
        fence = _FENCE.match(text, begin)
        body = fence.end() if fence else begin + 3
        end = text.find("```", body)
        end = len(text) if end < 0 else end
        code = text[body:end].strip()
        lines = code.count("\n") + 1
        language = fence[1] if fence and fence[1] else "code"
        named.append(text[at:begin])
        if _TRACEBACK in code or _is_log(code):
            named.append(f" {_name(_log_kind(code), code.splitlines()[-1])} ")
        else:
            named.append(f" ⟨{language}, {lines} line{'s' if lines > 1 else ''}⟩ ")
        at = end + 3
    return "".join([*named, text[at:]])


def _name_elements(text: str) -> str:
    """Names elements of several lines, drops what clients add, keeps what is asked."""
    kept: list[str] = []
    named: list[str] = []
    asked: list[str] = []
    at = 0
    for _ in range(_MOST_BLOCKS):
        element = _ELEMENT.search(text, at)
        if element is None:
            break
        close = f"</{element[1]}>"
        end = text.find(close, element.end())
        inner = text[element.end() : end] if end >= 0 else ""
        lines = inner.strip().count("\n") + 1 if end >= 0 else 0
        tag = element[1].lower()
        if end >= 0 and tag in _ASKING and words(inner[:_EDGE_CHARS]):
            asked.append(inner)
        if end >= 0 and tag not in _ASKING and _ADDED.match(tag):
            stop, name = end + len(close), "\n"
        elif lines < 2 or tag in _ASKING:
            stop, name = element.end(), text[element.start() : element.end()]
        else:
            stop, name = end + len(close), f" ⟨{element[1]}, {lines} lines⟩ "
        kept.append(text[at : element.start()])
        named += (kept[-1], name)
        at = stop
    kept.append(text[at:])
    if asked and at:
        return "\n".join(asked)
    if not words("".join(kept)) and not _only_added(text):
        return text  # what is asked must stand within them
    return "".join([*named, kept[-1]])


def _only_added(text: str) -> bool:
    element = _ELEMENT.search(text)
    return element is not None and _ADDED.match(element[1]) is not None


def _name_tracebacks(text: str) -> str:
    """A traceback ends at its first line that is not indented, which says what went wrong."""
    named = []
    at = 0
    while (begin := text.find(_TRACEBACK, at)) >= 0:
        named.append(text[at:begin])
        line = begin + len(_TRACEBACK)
        while (line := text.find("\n", line) + 1) and text[line : line + 1] in (" ", "\t", "\n"):
            pass
        if not line:
            at = len(text)
            named.append("⟨traceback⟩ ")
            break
        end = text.find("\n", line)
        at = len(text) if end < 0 else end
        named.append(_name("traceback", text[line:at]))
    return "".join([*named, text[at:]])


def _name_logs(text: str) -> str:
    named: list[str] = []
    log: list[str] = []
    for line in [*text.split("\n"), ""]:
        if _LOG_LINE.match(line):
            log.append(line)
            continue
        if len(log) >= _LOG_LINES:
            named.append(_name(_log_kind("\n".join(log)), log[-1]))
        else:
            named += log
        log.clear()
        named.append(line)
    return "\n".join(named[:-1])


def _is_log(text: str) -> bool:
    lines = text[:_EDGE_CHARS].split("\n")
    return (
        len(lines) >= _LOG_LINES and sum(bool(_LOG_LINE.match(x)) for x in lines) > len(lines) / 2
    )


def _log_kind(text: str) -> str:
    return "traceback" if _TRACEBACK in text else "log"


def _name(kind: str, last_line: str) -> str:
    last_line = " ".join(last_line[: 4 * _NAME_CHARS].split())
    short = last_line if len(last_line) <= _NAME_CHARS else f"{last_line[:_NAME_CHARS]}…"
    return f"⟨{kind}: {short}⟩"
