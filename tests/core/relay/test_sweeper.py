"""What the sweeper does for runs beside their time limits."""

from types import SimpleNamespace
from typing import Any

import gevent

from gateway.config import Config
from gateway.core.events import SummaryDelta
from gateway.core.summarizers import LINE_WITHIN_S
from gateway.relay.sweeper import Sweeper
from tests.core.scripted import delta, lines, make_turn
from tests.core.scripted import text as text_of


class Queue:
    """Keeps the lines that are published, and then lets the sweeper end."""

    def __init__(self, runs: dict[str, Any]) -> None:
        self._runs = runs
        self.shown = ""

    def publish(self, events: list[Any], now: float) -> None:
        self.shown += text_of(events, SummaryDelta)
        self._runs.clear()


class Nothing:
    """Kept streams: there are none."""

    def __len__(self) -> int:
        return 0

    def sweep(self, now: float) -> None:
        pass


def test_a_silent_upstream_brings_the_line_that_is_due() -> None:
    turn = make_turn()
    turn.start(0)
    turn.feed(lines(delta(reasoning_content="So the tank holds 40 litres.\n")), 0)
    runs: dict[str, Any] = {}
    queue = Queue(runs)
    config = Config(heartbeat_s=0.05)
    runs["run"] = SimpleNamespace(
        turn=turn,
        queue=queue,
        delivery=None,
        note_reads=lambda now: None,
        context=SimpleNamespace(started=0.0),
        lease=SimpleNamespace(config=config.effective_upstreams[0]),
        calling_since=None,
        reading_since=0.0,
    )
    kept: Any = Nothing()
    sweeper = Sweeper(config, runs, [], kept, lambda: LINE_WITHIN_S, lambda: None)
    with gevent.Timeout(20):
        sweeper.wake()
        while runs:
            gevent.sleep(0.01)
    assert queue.shown == "The tank holds 40 litres."
