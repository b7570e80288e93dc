"""The books: what the upstreams did and what the clients saw, turn by turn, and whether they agree.

No I/O.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.faults.clients import View
from benchmarks.faults.plans import Plan

SHOWS_REASONING = {"events", "phased", "openai", "whole", "responses", "messages"}


class Books:
    """All turns, by their ids."""

    def __init__(self) -> None:
        self.attempts: dict[str, list[Plan]] = defaultdict(list)
        """What the upstreams did with a turn, attempt by attempt."""
        self.views: dict[str, View] = {}
        """What its client saw."""
        self.left_at: dict[str, float] = {}
        """When its client left before the end, monotonic seconds."""

    def faults(self, log: Mapping[str, list[dict[str, Any]]]) -> Iterator[str]:
        """What does not agree. log: the gateway's lines, by turn."""
        for turn, view in self.views.items():
            attempts = self.attempts.get(turn, [])
            last = attempts[-1] if attempts else None
            about = f"turn {turn} ({view.door}, {view.habit}, {last.kind if last else 'not asked'})"
            for fault in (
                *_of_attempts(attempts),
                *_of_view(view, last),
                *_of_log(view, last, log.get(turn, [])),
            ):
                yield f"{about}: {fault}"

    def table(self) -> str:
        """How many turns of which kind came to which end."""
        rows: Counter[tuple[str, str]] = Counter()
        for turn, view in self.views.items():
            kinds = [plan.kind for plan in self.attempts.get(turn, [])]
            rows[kinds[-1] if kinds else "not asked", _seen(view)] += 1
        kinds = sorted({kind for kind, _ in rows})
        ends = sorted({end for _, end in rows})
        lines = [f"{'what the upstream did':28}" + "".join(f"{end:>10}" for end in ends)]
        lines += [
            f"{kind:28}" + "".join(f"{rows[kind, end] or '':>10}" for end in ends) for kind in kinds
        ]
        return "\n".join(lines)


def _seen(view: View) -> str:
    return view.ends[-1] if view.ends else "left" if view.left else "nothing"


def _of_attempts(attempts: list[Plan]) -> Iterator[str]:
    """Another may be asked only where the one before had not spoken, and may be at fault."""
    for plan in attempts[:-1]:
        if plan.speaks and not plan.resets:
            yield f"asked again although an upstream had spoken ({plan.kind})"
        if plan.blames_caller:
            yield f"asked again although the caller was at fault ({plan.kind})"


def _of_view(view: View, plan: Plan | None) -> Iterator[str]:
    """Was the client told one end, the right one, with all the text before it?"""
    if len(view.ends) > 1:
        yield f"ended more than once: {view.ends}"
    if not view.ends and not view.left:
        yield "the connection ended and no end was told"
    if plan is None:
        if view.ends == ["done"]:
            yield "done, and nobody was asked"
        return
    if view.ends and (view.ends[0] == "done") is not plan.whole:
        yield f"told as {view.ends[0]} {view.error[:150]}"
    if view.door in SHOWS_REASONING:
        yield from _of_text("reasoning", view.reasoning, plan.reasoning, view, plan)
    yield from _of_text("answer", view.answer, plan.answer, view, plan)


def _of_text(name: str, seen: str, said: str, view: View, plan: Plan) -> Iterator[str]:
    in_one_piece = view.status != 200 or (view.door == "whole" and not plan.whole)
    if not said.startswith(seen):
        yield f"{name} has what was never said: {seen[-60:]!r} in place of {said[-60:]!r}"
    elif view.ends and not in_one_piece and seen != said and not plan.resets:
        yield f"{name} lacks {said[len(seen) :][:60]!r}"


def _of_log(view: View, plan: Plan | None, lines: list[dict[str, Any]]) -> Iterator[str]:
    """Does the log have the turn once, with the end that the client saw?

    A request that nobody was there for is no turn, and one whose client left may have been none.
    """
    if len(lines) > 1 or (not lines and plan is not None):
        yield f"{len(lines)} lines in the log"
    for line in lines:
        seen = {"done": "done", "failed": line["end"]}.get(_seen(view), line["end"])
        if line["end"] != seen or (view.ends == ["failed"] and line["end"] in ("done", "left")):
            yield f"the log says {line['end']}, the client saw {_seen(view)}"
        if line["end"] == "left" and line["blame"] != "client":
            yield f"a client left, and the log blames the {line['blame']}"
