"""Writes the parts of the documentation that are generated from the code: `make docs`.

A generated part stands between `<!-- name -->` and `<!-- /name -->`. A test fails if one is stale.
"""

import json
import sys
from pathlib import Path

from gateway.core.families import FAMILIES, Block, Family
from gateway.observe.instruments import INSTRUMENTS, Instrument
from gateway.upstreams import KINDS, Kind
from scripts import client_docs

ROOT = Path(__file__).parent.parent


def families_table() -> str:
    """Returns the families as a Markdown table."""
    rows = [
        "| family | models | reasoning | opened by the template | other markers | note |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*rows, *map(_family_row, FAMILIES)])


def _family_row(family: Family) -> str:
    cells = (
        f"`{family.name}`",
        ", ".join(map(_code, family.models)) if family.models != ("*",) else "all others",
        "; ".join(map(_block, family.blocks)) or "its own grammar",
        _opened(family),
        "; ".join(_other_markers(family)),
        family.note,
    )
    return f"| {' | '.join(cells)} |"


def _opened(family: Family) -> str:
    if not family.starts_inside:
        return "no"
    always = family.always_thinks
    if always == ("*",):
        return "yes"
    of_some = f"; always with {', '.join(map(_code, always))}" if always else ""
    return f"while it thinks{of_some}"


def _other_markers(family: Family) -> list[str]:
    found = [f"tool calls: {', '.join(map(_code, family.tools))}"] * bool(family.tools)
    found += [f"around the answer: {_block(wrapper)}" for wrapper in family.wrappers]
    if family.anywhere:
        found.append("special tokens: markers count anywhere")
    return found


def _block(block: Block) -> str:
    start = " or ".join(map(_code, block.start))
    end = " or ".join(map(_code, block.end))
    return f"{start} … {end}".strip() if start else f"… {end}"


def _code(text: str) -> str:
    """Returns the text as code for a table cell, where a bar needs a backslash."""
    shown = text.replace("\n", "\\n").replace("|", "\\|")
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


def metrics_table() -> str:
    """Returns the metrics as a Markdown table."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    return "\n".join([*rows, *map(_metric_row, INSTRUMENTS)])


def _metric_row(made: Instrument) -> str:
    labels = ", ".join(map(_code, made.labels)) or "none"
    return f"| `{made.name}` | {made.kind} | {labels} | {made.meaning}. |"


def kinds_table() -> str:
    """Returns the kinds of model servers as a Markdown table."""
    rows = [
        "| kind | limits the thinking by | ends it by | turns it off with |",
        "|---|---|---|---|",
    ]
    return "\n".join([*rows, *map(_kind_row, KINDS.values())])


def _kind_row(kind: Kind) -> str:
    budget = _code(".".join(kind.budget)) if kind.budget else "–"
    ways = ", then ".join(kind.ways)
    off = ", ".join(_code(json.dumps({name: value})[1:-1]) for name, value in kind.off.items())
    return f"| `{kind.name}` | {budget} | {ways} | {off} |"


PARTS = {
    "docs/thinking.md": {"kinds": kinds_table},
    "docs/models.md": {"families": families_table},
    "docs/operating.md": {"metrics": metrics_table},
    "docs/clients.md": client_docs.parts(),
}


def with_parts(path: str, text: str) -> str:
    """Returns the text of a page with its generated parts made again. path: the page's."""
    for name, make in PARTS[path].items():
        before, found, rest = text.partition(f"<!-- {name} -->\n")
        after = rest.partition(f"<!-- /{name} -->")[1:]
        text = "".join([before, found, make(), "\n", *after])
    return text


def main() -> None:
    """Rewrites the pages in place."""
    for path in PARTS:
        page = ROOT / path
        page.write_text(with_parts(path, page.read_text()))


if __name__ == "__main__":
    sys.exit(main())
