"""What is kept of a run can be read from the first event, by any number of readers."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.events import Done, Event, OutputDelta, PromptSummary, Timings
from gateway.relay.event_log import EventLog, LogReader
from gateway.relay.event_queue import MAX_BEHIND_BYTES, EventQueue

END = Done("stop", None, Timings())
EVENTS: list[Event] = [PromptSummary("hi", 1), *map(OutputDelta, "abcdefgh"), END]


def log() -> EventLog:
    return EventLog(threading.Event, lambda size: None)


def read_all(reader: LogReader) -> list[tuple[int, Event]]:
    """All events that there are, with their numbers."""
    found: list[tuple[int, Event]] = []
    while True:
        number, events = reader.read(0)
        if not events:
            return found
        found += enumerate(events, number)


@given(st.lists(st.integers(0, len(EVENTS)), max_size=4), st.integers(0, len(EVENTS)))
def test_a_reader_gets_every_event_once_whenever_it_comes(cuts: list[int], opened: int) -> None:
    kept = log()
    reader = kept.open() if opened == 0 else None
    found = []
    last = 0
    for cut in sorted([*cuts, opened, len(EVENTS)]):
        if last < cut:
            kept.record(EVENTS[last:cut])
        last = cut
        if reader is None and cut >= opened:
            reader = kept.open()
        if reader is not None:
            found += read_all(reader)
    assert found == [*enumerate(EVENTS, 1)]
    assert kept.end is END


def test_a_long_log_is_read_in_parts() -> None:
    kept = log()
    kept.record([OutputDelta("a")] * 1000)
    _, first = kept.open().read()
    assert 0 < len(first) < 1000


def test_nothing_follows_the_end() -> None:
    kept = log()
    kept.record(EVENTS)
    kept.record([OutputDelta("more")])
    assert kept.events == EVENTS


def test_a_queue_that_records_never_waits_for_its_reader_and_goes_on_without_it() -> None:
    kept = log()
    queue = EventQueue(threading.Event, kept, is_bounded=False)
    queue.publish([OutputDelta("a" * MAX_BEHIND_BYTES)], 0.0)
    assert queue.has_room
    queue.close()
    queue.publish([END], 0.0)
    assert len(kept.events) == 2


def test_the_log_says_how_much_it_takes() -> None:
    grown: list[int] = []
    kept = EventLog(threading.Event, grown.append)
    kept.record([OutputDelta("a" * 5000)])
    kept.record([OutputDelta("a")])
    kept.record([END])
    assert len(grown) == 2
    assert grown[0] > 5000
    assert kept.size_bytes == sum(grown)
