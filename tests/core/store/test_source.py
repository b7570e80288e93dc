"""However entries come, a reader gets each event once, in order, or one failure."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.events import Done, Event, OutputDelta, Timings
from gateway.store.base import UNSTORED
from gateway.store.layout import LOST
from gateway.store.source import StoredSource

END = Done("stop", None, Timings())
EVENTS: list[Event] = [*(OutputDelta(str(number)) for number in range(1, 30)), END]


def source() -> StoredSource:
    return StoredSource("id", "place", lambda source: None)


def read_all(source: StoredSource) -> list[tuple[int, Event]]:
    found: list[tuple[int, Event]] = []
    while not found or found[-1][1] not in (END, LOST):
        number, events = source.read()
        assert events
        found += enumerate(events, number)
    return found


@given(st.lists(st.tuples(st.integers(0, len(EVENTS)), st.integers(1, len(EVENTS)))))
def test_entries_that_overlap_give_each_event_once(cuts: list[tuple[int, int]]) -> None:
    """A worker that stores a log again cuts it into other entries."""
    reader = source()
    for first, last in cuts:
        if first < last and first <= reader.had:
            reader.take(last, EVENTS[first:last])
    reader.take(len(EVENTS), EVENTS)
    assert read_all(reader) == [*enumerate(EVENTS, 1)]


def test_a_gap_is_a_failure_and_nothing_follows_it() -> None:
    reader = source()
    reader.take(2, EVENTS[:2])
    reader.take(5, EVENTS[3:5])
    reader.take(30, EVENTS)
    reader.lose()
    assert read_all(reader) == [(1, EVENTS[0]), (2, EVENTS[1]), (3 + UNSTORED, LOST)]


def test_a_source_that_has_enough_takes_more_once_it_was_read() -> None:
    woken = []
    reader = StoredSource("id", "place", woken.append)
    many: list[Event] = [OutputDelta("a")] * 600
    reader.take(600, many)
    assert not reader.has_room
    read = 0
    while not reader.has_room:
        assert woken == []
        read += len(reader.read()[1])
    assert woken == [reader]
    assert read < 600


def test_a_reader_that_is_woken_without_events_gets_none() -> None:
    reader = source()
    reader.wake()
    assert reader.read() == (1, [])
