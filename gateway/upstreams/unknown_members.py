"""Members of a server's chunks that the gateway does not know, and passes on. Pure."""

from collections.abc import Collection, Mapping
from typing import Any


class UnknownMembers:
    """Finds the unknown members that change from chunk to chunk of one answer.

    Servers repeat such members in every chunk, and only a change is passed on. So a frame that
    differs from the previous one only in its text is nothing but that text (see frame_template).
    """

    def __init__(self, known: Collection[str]) -> None:
        """known: names that are never passed on."""
        self._known = frozenset(known)
        self._last: dict[str, Any] = {}

    def changed(self, members: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the unknown members that are not empty and differ from the last call's."""
        if members.keys() <= self._known:
            return {}  # the usual case
        changed = {
            name: value
            for name, value in unknown_members(members, self._known).items()
            if self._last.get(name) != value
        }
        self._last |= changed
        return changed


def unknown_members(members: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Returns the members whose names are not known and whose values are not empty."""
    return {
        name: value for name, value in members.items() if name not in known and not _is_empty(value)
    }


def _is_empty(value: Any) -> bool:
    """Whether a value is empty: some servers send every member of the API, most of them without a
    value, such as `"audio": {"id": "", "expires_at": 0}`."""
    if isinstance(value, dict):
        return all(map(_is_nothing, value.values()))
    return value is None or value in ("", [])


def _is_nothing(value: Any) -> bool:
    return _is_empty(value) or (value == 0 and not isinstance(value, bool))
