"""Records what upstreams did and clients saw in each turn, and checks that they agree. No I/O."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.faults.clients import View
from benchmarks.faults.plans import Plan

SHOWS_REASONING = {"events", "phased", "openai", "whole", "responses", "messages"}


class Records:
    """The records of all turns, by their ids."""

    def __init__(self) -> None:
        self.attempts: dict[str, list[Plan]] = defaultdict(list)
        """Turn → the upstreams' plan in each attempt."""
        self.views: dict[str, View] = {}
        """Turn → what its client saw."""
        self.left_at: dict[str, float] = {}
        """Turn → when its client left before the end, in monotonic seconds."""

    def faults(self, log: Mapping[str, list[dict[str, Any]]]) -> Iterator[str]:
        """Yields each contradiction. log: turn → the gateway's log lines."""
        for turn, view in self.views.items():
            attempts = self.attempts.get(turn, [])
            last = attempts[-1] if attempts else None
            about = f"turn {turn} ({view.api}, {view.habit}, {last.kind if last else 'not asked'})"
            for fault in (
                *_check_attempts(attempts),
                *_check_view(view, last),
                *_check_log(view, last, log.get(turn, [])),
            ):
                yield f"{about}: {fault}"

    def table(self) -> str:
        """Returns a table of the turns by the upstream's plan and the end that the client saw."""
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
    """Returns the end of the turn as its client saw it."""
    return view.ends[-1] if view.ends else "left" if view.left else "nothing"


def _check_attempts(attempts: list[Plan]) -> Iterator[str]:
    """Checks that each failover followed an upstream's fault, before it had sent any text."""
    for plan in attempts[:-1]:
        if plan.speaks and not plan.resets:
            yield f"failover after an upstream had sent text ({plan.kind})"
        if plan.blames_caller:
            yield f"failover although the caller was at fault ({plan.kind})"


def _check_view(view: View, plan: Plan | None) -> Iterator[str]:
    """Checks that the client saw one end, the right one, after all text."""
    if len(view.ends) > 1:
        yield f"ended more than once: {view.ends}"
    if not view.ends and not view.left:
        yield "the connection closed without an end of the stream"
    if plan is None:
        if view.ends == ["done"]:
            yield "done, and no upstream was asked"
        return
    if view.ends and (view.ends[0] == "done") is not plan.whole:
        yield f"ended as {view.ends[0]} {view.error[:150]}"
    if view.api in SHOWS_REASONING:
        yield from _check_text("reasoning", view.reasoning, plan.reasoning, view, plan)
    yield from _check_text("answer", view.answer, plan.answer, view, plan)


def _check_text(name: str, seen: str, said: str, view: View, plan: Plan) -> Iterator[str]:
    """Checks that the client saw all text that the upstream sent, and no other.

    A client may miss the end of a text if it left, if the upstream reset its connection, or if a
    failure took the place of a whole answer.
    """
    in_one_piece = view.status != 200 or (view.api == "whole" and not plan.whole)
    if not said.startswith(seen):
        yield f"{name} has text that was not sent: {seen[-60:]!r} instead of {said[-60:]!r}"
    elif view.ends and not in_one_piece and seen != said and not plan.resets:
        yield f"{name} lacks {said[len(seen) :][:60]!r}"


def _check_log(view: View, plan: Plan | None, lines: list[dict[str, Any]]) -> Iterator[str]:
    """Checks that the log has the turn once, with the end that the client saw.

    A request for which no upstream was asked is not a turn.
    """
    if len(lines) > 1 or (not lines and plan is not None):
        yield f"{len(lines)} lines in the log"
    for line in lines:
        seen = {"done": "done", "failed": line["end"]}.get(_seen(view), line["end"])
        if line["end"] != seen or (view.ends == ["failed"] and line["end"] in ("done", "left")):
            yield f"the log says {line['end']}, the client saw {_seen(view)}"
        if line["end"] == "left" and line["blame"] != "client":
            yield f"a client left, and the log blames the {line['blame']}"
