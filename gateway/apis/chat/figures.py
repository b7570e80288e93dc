"""The times of a turn, and how its thinking ended, as our own formats show them."""

from typing import Any

import msgspec

from gateway.core.events import Done


def figures_of(done: Done) -> dict[str, Any]:
    """Returns `timings`; where the gateway ended the thinking, also when and why."""
    timings = msgspec.to_builtins(done.timings)
    if done.thinking_ended is None:
        del timings["answer_forced_ms"]
        return {"timings": timings}
    return {"timings": timings, "thinking_ended": done.thinking_ended}
