"""A stream that another worker has is read as if it were here, and its worker's death is told."""

from collections.abc import Iterator

import pytest

from gateway.core.events import Done, Event, Failed, OutputDelta, Timings, encode_events
from gateway.errors import GatewayFault, StreamGone
from gateway.relay.remote_source import RemoteSource

TEXTS: list[Event] = [OutputDelta("a"), OutputDelta("\ud83d")]
END = Done("stop", None, Timings())


def lines(*events: Event, error: Exception | None = None) -> Iterator[str]:
    for event in events:
        yield "[]"
        yield encode_events([event]).decode()
    if error is not None:
        raise error


def read_all(source: RemoteSource) -> list[Event]:
    found: list[Event] = []
    while not found or not isinstance(found[-1], Done | Failed):
        number, events = source.read()
        assert number == len(found) + 1
        found += events
    source.close()
    return found


def test_a_stream_of_another_worker_is_read_to_its_end() -> None:
    assert read_all(RemoteSource(lines(*TEXTS, END))) == [*TEXTS, END]


@pytest.mark.parametrize("error", [None, StreamGone("1"), GatewayFault("It failed.")])
def test_a_worker_that_dies_is_told_once(error: Exception | None) -> None:
    *texts, last = read_all(RemoteSource(lines(*TEXTS, error=error)))
    assert texts == TEXTS
    assert isinstance(last, Failed)
    assert last.error.code == "stream_lost"
