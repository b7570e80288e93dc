"""What servers send beside the members that the gateway knows, for handing on. Pure."""

from collections.abc import Collection, Mapping
from typing import Any


class UnknownMembers:
    """Finds the new ones among the unknown members of one answer's chunks.

    Servers repeat such members in every chunk. Only what has changed is handed on: then a frame
    that differs from the last in nothing but its text says nothing else.
    """

    def __init__(self, known: Collection[str]) -> None:
        """known: the names that are never handed on."""
        self._known = frozenset(known)
        self._last: dict[str, Any] = {}

    def changed(self, members: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the unknown members that are not empty and not as they were the last time."""
        if members.keys() <= self._known:
            return {}  # as nearly always
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
    """Whether a member says nothing: some servers send each member of an answer, most of them
    empty, down to `"audio": {"id": "", "expires_at": 0}`."""
    if isinstance(value, dict):
        return all(map(_is_nothing, value.values()))
    return value is None or value in ("", [])


def _is_nothing(value: Any) -> bool:
    return _is_empty(value) or (value == 0 and not isinstance(value, bool))
