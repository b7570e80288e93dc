"""Reads a stream of another worker of this host over that worker's socket."""

import json
from collections.abc import Iterator
from contextlib import suppress

import gevent
import gevent.event
import msgspec

from gateway.apis.kept import StreamInfo
from gateway.core.events import Event, Failed, Timings, decode_events, encode_events, end_of
from gateway.core.sse import dumps
from gateway.errors import GatewayError, StreamLost
from gateway.relay.event_log import EventLog
from gateway.relay.event_queue import EventQueue

_BEAT_S = 1.0
"""After this many seconds without an event, a worker sends an empty list to show that it lives."""
_MAX_LINE_EVENTS = 32


class Head(msgspec.Struct):
    """The description of a stream, which a worker sends before the events."""

    info: StreamInfo
    length: int
    has_ended: bool


def head_in(lines: Iterator[str]) -> Head:
    """Returns the head, which is the first line that a worker sends."""
    # json and not msgspec: msgspec refuses lone surrogates.
    return msgspec.convert(json.loads(next(lines)), Head)


def lines_of(info: StreamInfo, log: EventLog, *, follow: bool) -> Iterator[str]:
    """Yields the lines that a worker sends: the head of a stream, then its events, several a line.

    follow: waits for all events up to the end of the stream; else yields those that there are.
    """
    head = Head(info, len(log.events), log.end is not None)
    yield dumps(msgspec.to_builtins(head))
    if not follow:
        yield from _lines_with(list(log.events))
        return
    reader = log.open()
    try:
        while True:
            _, events = reader.read(_BEAT_S)
            yield from _lines_with(events) if events else ("[]",)
            if end_of(events) is not None:
                return
    finally:
        reader.close()


def _lines_with(events: list[Event]) -> Iterator[str]:
    for at in range(0, len(events), _MAX_LINE_EVENTS):
        yield encode_events(events[at : at + _MAX_LINE_EVENTS]).decode()


class RemoteSource:
    """The events of a stream that another worker has."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._queue = EventQueue(gevent.event.Event)
        self._pump = gevent.spawn(self._fill, lines)
        self.wake = self._queue.wake
        self.read = self._queue.read

    def close(self) -> None:
        """Stops reading. Idempotent."""
        self._queue.close()
        self._pump.kill(block=False)

    def _fill(self, lines: Iterator[str]) -> None:
        with suppress(GatewayError):
            for line in lines:
                events = decode_events(line)
                self._queue.publish(events, 0)
                self._queue.wait_for_room()
                if end_of(events) is not None:
                    return
        self._queue.publish([Failed(StreamLost().info, Timings())], 0)
