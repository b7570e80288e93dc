"""Draws a small flame graph from the stacks that py-spy has sampled.

    py-spy record --pid WORKER --duration 10 --format raw --output stacks.txt
    python benchmarks/streams/flame.py stacks.txt > flame.svg

It leaves out functions below half a percent, and the idle threads of gevent's thread pool.
"""

import re
import sys
from html import escape
from pathlib import Path

WIDTH, ROW = 1000, 15
LEAST = 0.005
COLOURS = ("#f2b880", "#e8a33d", "#f4d58d", "#dfa878", "#f0c987")
_IDLE = "acquire_with_timeout"
_CHARACTER = 6.2
"""Pixels."""


class Node:
    """A function in one call stack."""

    def __init__(self) -> None:
        self.samples = 0
        self.calls: dict[str, Node] = {}


def read(stacks: str) -> Node:
    root = Node()
    for line in stacks.splitlines():
        stack, _, samples = line.rpartition(" ")
        if _IDLE in stack:
            continue
        node = root
        node.samples += int(samples)
        for place in stack.split(";"):
            name = re.sub(r" \((?:.*/)?(.*?)(?::\d+)?\)$", r" (\1)", place)
            node = node.calls.setdefault(name, Node())
            node.samples += int(samples)
    return root


def draw(node: Node, total: int, left: float, depth: int, drawn: list[str]) -> int:
    """Draws the functions that a node calls. Returns the number of rows."""
    rows = depth
    for name, call in sorted(node.calls.items(), key=lambda item: -item[1].samples):
        share = call.samples / total
        if share < LEAST:
            continue
        width = share * WIDTH
        colour = COLOURS[sum(map(ord, name)) % len(COLOURS)]
        shown = escape(name[: int(width / _CHARACTER)])
        y = depth * ROW
        drawn.append(
            f'<g><title>{escape(name)} {share:.1%}</title><rect x="{left:.1f}" y="{y}" '
            f'width="{width:.1f}" height="{ROW - 1}" fill="{colour}"/>'
            f'<text x="{left + 2:.1f}" y="{y + 11}">{shown}</text></g>'
        )
        rows = max(rows, draw(call, total, left, depth + 1, drawn))
        left += width
    return max(rows, depth)


def main() -> None:
    root = read(Path(sys.argv[1]).read_text())
    drawn: list[str] = []
    rows = draw(root, root.samples, 0.0, 0, drawn) + 1
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {rows * ROW}" '
        'font-family="monospace" font-size="10">',
        *drawn,
        "</svg>",
        sep="\n",
    )


if __name__ == "__main__":
    main()
