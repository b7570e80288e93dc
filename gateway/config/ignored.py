"""Warnings about settings that have no effect. The gateway logs them when it starts.

They are not errors: a variable whose name resembles a setting may be meant for another program.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

_CLOSE = 0.9
"""Names with this ratio of SequenceMatcher, or a higher one, are taken for typing mistakes."""
_WRONG_END = re.compile(r"(/(?:chat|completions|models|v1/responses|v1/messages))/?\Z")
_URL = "UPSTREAM_URL"
_RIGHT_END = "/chat/completions"
_MIN_CHARS = 6
"""Shorter names resemble those of other programs: HOST and HOSTS, PORT and PORTS."""


def ignored_variables(
    environ: Mapping[str, str], settings: Sequence[str], tables: Sequence[str]
) -> Iterator[str]:
    """Yields a sentence for each variable that looks like a setting.

    settings: the names that the environment can set. tables: those that only the file can.
    """
    known = [name.upper() for name in settings]
    for variable in sorted(environ):
        if variable in settings:
            yield f"{variable} in the environment has no effect: its name is {variable.upper()}."
        elif variable.lower() in tables and variable.isupper():
            yield (
                f"{variable} in the environment has no effect: only gateway.toml can hold it, "
                f"as [[{variable.lower()}]]."
            )
        elif variable not in known and (meant := _meant(variable, known)):
            yield f"{variable} in the environment has no effect; did you mean {meant}?"


def ignored_settings(settings: Mapping[str, Any], variables: Sequence[str]) -> Iterator[str]:
    """Yields a sentence for each setting that another one overrides.

    settings: the file's. variables: the names of the settings in the environment.
    """
    if settings.get("upstreams"):
        for name in (_URL, "UPSTREAM_API_KEY"):
            if name.lower() in settings or name.lower() in variables:
                yield f"{name} has no effect beside [[upstreams]] in gateway.toml."
    matches: dict[str, int] = {}
    for index, table in enumerate(settings.get("models", ())):
        glob = str(table.get("match")).lower()
        marks = not {"family", "start", "starts_inside"}.isdisjoint(table)
        if marks and (first := matches.get("*", matches.get(glob))) is not None:
            yield (
                f"models[{index}] in gateway.toml does not say how reasoning is marked: "
                f"models[{first}] stands above it and matches the same models."
            )
        if marks:
            matches.setdefault(glob, index)


def odd_addresses(settings: Mapping[str, Any]) -> Iterator[str]:
    """Yields a sentence for each address of a model server with a path below the base.

    settings: those of the file and the environment together.
    """
    found = {_URL: settings.get(_URL.lower())}
    for index, table in enumerate(settings.get("upstreams", ())):
        found[f"upstreams[{index}].url"] = table.get("url")
    for name, url in found.items():
        if not isinstance(url, str) or url.rstrip("/").endswith(_RIGHT_END):
            continue
        if end := _WRONG_END.search(url):
            yield (
                f"{name} ends in {end[1]}: requests go to {end[1]}/chat/completions. "
                "Give the base, …/v1 or the full …/chat/completions."
            )


def _meant(variable: str, known: Sequence[str]) -> str | None:
    """Returns the setting that the variable probably stands for."""
    if len(variable) < _MIN_CHARS or not variable.isupper():
        return None
    if f"{variable}_URL" in known:
        return f"{variable}_URL"
    return next((name for name in known if _is_close(variable, name)), None)


def _is_close(variable: str, name: str) -> bool:
    matcher = SequenceMatcher(None, variable, name, autojunk=False)
    return (
        matcher.real_quick_ratio() >= _CLOSE
        and matcher.quick_ratio() >= _CLOSE
        and matcher.ratio() >= _CLOSE
    )
