"""The settings file, and the lines on which it gives its values."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from gateway.errors import ConfigError

Step = str | int
"""The name of a key, or an index of a list."""
Steps = tuple[Step, ...]
"""The path to a value: ("upstreams", 0, "headers")."""
_TOML_ERROR = re.compile(
    r"(?P<what>.*) \(at (?:line (?P<line>\d+), column \d+|end of document)\)\Z"
)
_BARE_TEXT = re.compile(r"\s*[\w.-]+\s*=\s*(?![\"'\[{])(?P<text>[^#]*?)\s*(?:#.*)?\Z")


class SettingsFile(NamedTuple):
    """The path, the text and the values of the file. Text and values are empty without a file."""

    path: str
    text: str
    settings: dict[str, Any]

    def place(self, steps: Steps) -> str:
        """Returns file and line of a value, or of the table it belongs in, for a message."""
        lines = _lines(self.text)
        for end in range(len(steps), 0, -1):
            if line := lines.get(tuple(steps[:end])):
                return f"{self.path}, line {line}"
        return self.path


def read_file(environ: Mapping[str, str]) -> SettingsFile:
    """Reads the file that GATEWAY_CONFIG names, else gateway.toml. Raises ConfigError."""
    named = environ.get("GATEWAY_CONFIG")
    path = Path(named or "gateway.toml")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        if named:
            raise ConfigError(f"there is no file {named!r}", setting="GATEWAY_CONFIG") from None
        return SettingsFile(str(path), "", {})
    except OSError as error:
        raise ConfigError(f"it can't be read: {error.strerror}", setting=str(path)) from None
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("the text is not UTF-8", setting=f"{path}, line {line}") from None
    try:
        return SettingsFile(str(path), text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(str(path), text, str(error)) from None


def _not_toml(path: str, text: str, error: str) -> ConfigError:
    """Returns tomllib's error in plainer words, with its line."""
    found = _TOML_ERROR.match(error)
    what = found["what"] if found else error
    what = "this key is given twice" if "overwrite" in what else what[:1].lower() + what[1:]
    if found and found["line"]:
        number = int(found["line"])
        bare = _BARE_TEXT.match(text.split("\n")[number - 1])
        if bare and bare["text"] and not _is_toml(f"a = {bare['text']}"):
            what = f'{bare["text"]} is no TOML value; text needs quotes: "{bare["text"]}"'
    else:  # tomllib of Python 3.11 says only that the error is at the end of the document
        number, is_whole = _last_statement(text)
        what = what if is_whole else "the file ends before this statement does"
    return ConfigError(what, setting=f"{path}, line {number}")


def _is_toml(text: str) -> bool:
    with suppress(tomllib.TOMLDecodeError):
        tomllib.loads(text)
        return True
    return False


def _statements(text: str) -> Iterator[tuple[str, int]]:
    """Yields the statements of a TOML text, each with the number of its first line.

    tomllib does not report lines. But the lines of a statement are valid TOML only together, so a
    statement ends with the line that makes the lines read so far valid. Lines that never become
    valid are the last item.
    """
    read, first = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        read += line + "\n"
        if _is_toml(read):
            yield read, first
            read, first = "", number + 1
    if read:
        yield read, first


def _last_statement(text: str) -> tuple[int, bool]:
    """Returns the first line of the last statement, and whether the statement is valid."""
    statements = [one for one in _statements(text) if one[0].strip()]
    last, number = statements[-1]
    return number, _is_toml(last)


def _lines(text: str) -> dict[Steps, int]:
    """Returns the paths of all values and tables of valid TOML → the lines they begin on."""
    lines: dict[Steps, int] = {}
    arrays: dict[Steps, int] = {}
    table: Steps = ()
    for statement, number in _statements(text):
        held = tomllib.loads(statement)
        begin = statement.lstrip()
        if begin.startswith("["):
            table = _table(held, arrays, is_array=begin.startswith("[["))
            found = [table]
        else:
            found = [(*table, *path) for path in _paths(held)]
        for path in found:
            for end in range(1, len(path) + 1):
                lines.setdefault(path[:end], number)
    return lines


def _paths(value: Any) -> Iterator[Steps]:
    """Yields the paths of all values within a value."""
    inner: Iterable[tuple[Step, Any]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for step, below in inner:
        yield (step,)
        yield from ((step, *path) for path in _paths(below))


def _table(header: Any, arrays: dict[Steps, int], *, is_array: bool) -> Steps:
    """Returns the path of a table. Below an array of tables, it belongs to the array's last table.

    header: the parsed header. arrays: path of an array of tables → index of its last table;
    extended here. is_array: the header has two brackets.
    """
    path: Steps = ()
    while isinstance(header, dict) and header:
        [(key, header)] = header.items()
        path = (*path, key)
        if is_array and not isinstance(header, dict):
            arrays[path] = arrays.get(path, -1) + 1
        if path in arrays:
            path = (*path, arrays[path])
    return path
