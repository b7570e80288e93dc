"""What is kept is bounded, in time and in memory."""

from typing import Any

import pytest

from gateway.apis.kept import StreamInfo
from gateway.core.events import Done, OutputDelta, Timings
from gateway.errors import Full
from gateway.relay.kept import KeptStreams

END = Done("stop", None, Timings())


def info(id: str, **members: Any) -> StreamInfo:
    given = {"principal": "p", "dialect": "events", "keep": "detached", "model": "m", "created": 1}
    return StreamInfo(**{"id": id, **given, **members})


def store(max_bytes: int = 10_000, now: float = 0.0) -> KeptStreams:
    return KeptStreams(max_bytes, 10, 5, lambda: now)


def test_an_ended_stream_is_forgotten_in_time_and_a_running_one_is_not() -> None:
    kept = store()
    for id in ("a", "b"):
        kept.add(info(id))
    ended = kept.find("a", "p")
    assert ended is not None
    ended.log.record([END])
    kept.sweep(10)
    assert len(kept) == 2
    kept.sweep(10.1)
    assert (kept.find("a", "p"), kept.find("b", "p") is not None) == (None, True)


def test_the_oldest_ends_make_room_and_the_books_balance() -> None:
    kept = store()
    for number in range(20):
        stream = kept.add(info(str(number)))
        assert stream is not None
        stream.log.record([OutputDelta("a" * 500), END])
        assert kept.size_bytes <= 10_000
    assert kept.find("0", "p") is None
    assert kept.find("19", "p") is not None
    for number in range(20):
        kept.forget(str(number))
    assert (len(kept), kept.size_bytes) == (0, 0)


def test_while_running_streams_take_everything_others_are_refused_or_not_kept() -> None:
    kept = store(max_bytes=5_000)
    for id in ("a", "b"):
        kept.add(info(id))
    with pytest.raises(Full):
        kept.add(info("c"))
    assert kept.add(info("c", keep="ended")) is None


def test_the_request_counts() -> None:
    kept = store(max_bytes=100_000)
    with pytest.raises(Full):
        kept.add(info("a", input=[{"content": "x" * 100_000}]))
    kept.add(info("b", input=[{"content": "x" * 50_000}]))
    assert kept.size_bytes > 50_000
    kept.forget("b")
    assert kept.size_bytes == 0


def test_a_stream_of_another_key_is_not_found() -> None:
    kept = store()
    kept.add(info("a"))
    assert kept.find("a", "q") is None
