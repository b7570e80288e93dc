"""The reader of a worker gives each source its events, wherever the others are."""

from collections.abc import Callable
from typing import Any

import structlog

from gateway.core.events import Event, OutputDelta
from gateway.store.layout import Codec, stream_key
from gateway.store.reader import Reader
from gateway.store.source import StoredSource

CODEC = Codec(lambda id, record: "", lambda id, seal: None)
EVENTS: list[Event] = [OutputDelta(str(number)) for number in range(1, 42)]


class Server:
    """Redis with one stream of an entry for each event."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], None] = lambda: None
        """Called while a read waits."""

    def run(self, *command: Any) -> Any:
        names = command[command.index("STREAMS") + 1 :]
        asked = dict(zip(names, names[len(names) // 2 :], strict=False))
        self.meanwhile()
        had = int(asked[stream_key("id")].removeprefix(b"1-"))
        entries = [
            (b"1-%d" % number, [b"e", CODEC.encode("id", [event]).encode()])
            for number, event in enumerate(EVENTS, 1)
            if number > had
        ]
        return [[stream_key("id").encode(), entries]]


def test_a_source_that_is_opened_during_a_read_begins_at_its_beginning() -> None:
    server = Server()
    opened: list[StoredSource] = []
    log = structlog.wrap_logger(None)
    reader = Reader(
        server,  # type: ignore[arg-type]
        *(CODEC, "place", 600, lambda: 0.0, log),
        wake=lambda: None,
        on_message=lambda message: None,
        on_read=lambda place, ids: None,
    )
    first = reader.open("id", "place")
    first.take(40, EVENTS[:40])
    server.meanwhile = lambda: opened.append(reader.open("id", "place"))
    reader._read()
    assert (first.had, opened[0].had, opened[0].has_ended) == (41, 0, False)
    server.meanwhile = lambda: None
    reader._read()
    assert opened[0].had == 41
    assert opened[0].read() == (1, EVENTS)
