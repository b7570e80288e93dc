"""Yields the bytes of each frame when it is due. It reads the clock and sleeps; no sockets."""

import errno
import time
from collections.abc import Callable, Iterator
from typing import Any

from gateway.mock.frames import Frame


def deliver(
    frames: Iterator[Frame], speed: float, stats: dict[str, Any], client_gone: Callable[[], bool]
) -> Iterator[bytes]:
    """The frames' bytes, at `speed` tokens a second; 0 does not pace them.

    Each frame has its own deadline, so a stream that was late catches up. Ends early when the
    client has left; raises ConnectionResetError where the script cuts the connection.
    """
    outcome = "aborted"
    stats["open_streams"] += 1
    due = time.monotonic()
    try:
        for frame in frames:
            due += frame.pause_s
            if not wait_until(due, client_gone):
                return
            if frame.cut:
                outcome = "finished"
                raise ConnectionResetError(errno.ECONNRESET, "the script ends the connection here")
            if frame.data:
                yield frame.data
            stats["tokens_sent"] += frame.tokens
            due += frame.tokens / speed if speed else 0
        outcome = "finished"
    finally:
        stats["open_streams"] -= 1
        stats[outcome] += 1


def wait_until(due: float, client_gone: Callable[[], bool]) -> bool:
    """Sleeps until `due`, at least once so that other greenlets run. False if the client left."""
    while not client_gone():
        left = due - time.monotonic()
        time.sleep(min(max(left, 0), 0.1))
        if left <= 0.1:
            return True
    return False


def join_frames(frames: Iterator[Frame], size: int) -> Iterator[Frame]:
    """Joins up to `size` frames into one; a pause or a cut stays on its own."""
    held: list[Frame] = []
    for frame in frames:
        if held and (len(held) == size or not frame.data):
            yield joined(held)
            held = []
        if frame.data:
            held.append(frame)
        else:
            yield frame
    if held:
        yield joined(held)


def joined(frames: list[Frame]) -> Frame:
    return Frame(b"".join(f.data for f in frames), sum(f.tokens for f in frames))
