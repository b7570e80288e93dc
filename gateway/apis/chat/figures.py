"""The times of a turn and the end of its thinking, in the gateway's own formats."""

from typing import Any

import msgspec

from gateway.core.events import Done


def figures_of(done: Done) -> dict[str, Any]:
    """Returns `timings`; if the gateway ended the thinking, also the time and the reason."""
    timings = msgspec.to_builtins(done.timings)
    if done.thinking_ended is None:
        del timings["answer_forced_ms"]
        return {"timings": timings}
    return {"timings": timings, "thinking_ended": done.thinking_ended}
