"""The writer stores each log once, whatever Redis does meanwhile.

The server here is a dict with the rules of a stream; tests/live has the real one.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from gateway.apis.kept import StreamInfo
from gateway.core.events import Done, Event, OutputDelta, Timings
from gateway.errors import StoreAway
from gateway.relay.event_log import EventLog
from gateway.store.connection import Refused
from gateway.store.layout import INFO, Codec, lost_item, stream_key
from gateway.store.source import StoredSource
from gateway.store.writer import Writer

END = Done("stop", None, Timings())
CODEC = Codec(lambda id, record: "", lambda id, seal: None)


class Server:
    """Redis, as far as the writer asks it for something."""

    def __init__(self) -> None:
        self.streams: dict[str, list[tuple[bytes, list[bytes]]]] = {}
        self.lifetimes: dict[str, int] = {}
        self.is_away = False
        self.fails_after = False
        """The next command is done, but its answer is lost."""
        self.on_append: Callable[[], None] = lambda: None

    def _check(self) -> None:
        if self.is_away:
            raise StoreAway("away")

    def run(self, name: str, *arguments: Any) -> None:
        self._check()
        if name == "UNLINK":
            for key in arguments:
                self.streams.pop(key, None)

    def run_all(self, commands: Any) -> list[Any]:
        self._check()
        return [self.streams.get(key, [])[-1:] for _, key, *_ in commands]

    def append(self, items: Any) -> list[Refused]:
        self._check()
        self.on_append()
        refused = []
        for at, item in enumerate(items):
            entries = self.streams.get(item.key)
            if entries is None and item.field == INFO:
                entries = self.streams[item.key] = []
            if entries is None:
                refused.append(Refused(at, True, False, "GONE"))
            elif item.id and entries and order(entries[-1][0]) >= order(item.id.encode()):
                refused.append(Refused(at, False, True, "equal or smaller"))
            elif item.id:
                entries.append((item.id.encode(), [item.field.encode(), item.data.encode()]))
                self.lifetimes[item.key] = item.lifetime_ms or self.lifetimes[item.key]
        if self.fails_after:
            self.fails_after = False
            raise StoreAway("no answer")
        return refused

    def events(self, id: str) -> list[Event]:
        """What a reader gets of a stream."""
        source = StoredSource(id, "", lambda source: None)
        for entry, (field, data) in self.streams[stream_key(id)]:
            if field == b"e":
                source.take(order(entry)[1], CODEC.decode(id, data))
        found: list[Event] = []
        while len(found) < source.had:
            found += source.read()[1]
        return found


def order(id: bytes) -> tuple[int, int]:
    epoch, number = id.split(b"-")
    return int(epoch), int(number)


class Worker:
    """A writer that is driven by hand, and what it keeps."""

    def __init__(self, server: Server) -> None:
        self.lost: list[str] = []
        self.now = 0.0
        log = structlog.wrap_logger(None, processors=[drop])
        self.writer = Writer(
            server,  # type: ignore[arg-type]
            *(CODEC, "place", 600, lambda: self.now, log, self.lost.append),
        )
        self.round()

    def round(self) -> None:
        self.now += 30
        self.writer._round()

    def keep(self, id: str, keep: Any = "detached") -> EventLog:
        info = StreamInfo(id=id, principal="p", dialect="events", keep=keep, model="m", created=1)
        log = EventLog(threading.Event, lambda size: None)
        self.writer.add(info, log)
        return log


def drop(*_: Any) -> Any:
    raise structlog.DropEvent


def texts(count: int, first: int = 0) -> list[Event]:
    return [OutputDelta(str(number)) for number in range(first, first + count)]


FAULTS = st.sampled_from(["none", "away", "lost answer", "restart", "expired"])


@given(st.lists(st.tuples(st.integers(1, 400), FAULTS), max_size=8))
def test_what_is_stored_is_the_log_whatever_happens_to_redis(
    steps: list[tuple[int, str]],
) -> None:
    server = Server()
    worker = Worker(server)
    logs = {id: worker.keep(id) for id in "ab"}
    expired = 0
    for count, fault in steps:
        if fault == "expired" and (expired := expired + 1) > 3:
            continue
        server.is_away = fault == "away"
        server.fails_after = fault == "lost answer"
        if fault in ("restart", "expired"):
            server.streams.clear()
        if fault == "restart":
            server.is_away = True
            worker.round()
            server.is_away = False
        for log in logs.values():
            log.record(texts(count, len(log.events)))
        worker.round()
    server.is_away = server.fails_after = False
    for log in logs.values():
        log.record([END])
    worker.round()
    worker.round()
    for id, log in logs.items():
        assert server.events(id) == log.events
        assert server.lifetimes[stream_key(id)] == 600_000
    assert worker.lost == []


def test_what_goes_with_its_client_is_stored_once_it_has_ended() -> None:
    server = Server()
    worker = Worker(server)
    log = worker.keep("a", "ended")
    log.record(texts(3))
    worker.round()
    assert server.streams == {}
    log.record([END])
    worker.round()
    assert server.events("a") == [*texts(3), END]


@pytest.mark.parametrize("is_away", [False, True])
def test_a_worker_that_counts_as_dead_writes_no_more_and_is_told(is_away: bool) -> None:
    server = Server()
    worker = Worker(server)
    log = worker.keep("a")
    log.record(texts(2))
    worker.round()
    server.append([lost_item("a", CODEC, 600)])
    if is_away:
        server.is_away = True
        worker.round()
        server.is_away = False
    log.record(texts(1))
    worker.round()
    assert worker.lost == ["a"]
    assert server.events("a")[:2] == texts(2)
    assert server.streams[stream_key("a")][-1][0] == b"2-1"


def test_tokens_that_arrive_meanwhile_do_not_keep_the_lease_from_being_renewed() -> None:
    server = Server()
    worker = Worker(server)
    log = worker.keep("a")
    server.on_append = lambda: log.record(texts(1))
    for _ in range(3):
        worker.round()
    assert 3 <= len(server.events("a")) <= 9


def test_a_forgotten_stream_is_deleted() -> None:
    server = Server()
    worker = Worker(server)
    log = worker.keep("a")
    worker.round()
    assert len(server.streams) == 1
    worker.writer.forget("a")
    log.record(texts(1))
    worker.round()
    assert server.streams == {}


def test_a_stream_that_redis_drops_again_and_again_is_given_up() -> None:
    server = Server()
    worker = Worker(server)
    log = worker.keep("a")
    for _ in range(10):
        server.streams.clear()
        log.record(texts(1))
        worker.round()
    assert server.streams == {}
    assert worker.writer.status.up


def test_a_long_log_goes_in_several_entries_and_commands() -> None:
    server = Server()
    worker = Worker(server)
    log = worker.keep("a")
    log.record([OutputDelta("x" * 10_000)] * 1000)
    for _ in range(5):
        worker.round()
    assert len(server.events("a")) == 1000
