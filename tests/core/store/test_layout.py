"""What is stored reads again as it was, and thoughts lie there sealed."""

from gateway.apis.kept import StreamInfo
from gateway.apis.seal import Sealer
from gateway.core.events import ChoiceEvent, Event, OutputDelta, Thoughts
from gateway.core.thoughts import ThoughtRecord
from gateway.store.layout import Codec, decode_info, encode_info, entries_in

THOUGHTS = Thoughts(ThoughtRecord(text="a secret", blocks={"b": [{"data": "opaque"}]}), "call_1")
EVENTS: list[Event] = [OutputDelta("\ud83d"), THOUGHTS, ChoiceEvent(1, THOUGHTS)]


def codec(key: bytes = b"k" * 32) -> Codec:
    sealer = Sealer([key])
    return Codec(sealer.seal, sealer.open)


def test_events_read_as_they_were_and_thoughts_are_sealed() -> None:
    data = codec().encode("id", EVENTS)
    assert "secret" not in data
    assert "opaque" not in data
    assert codec().decode("id", data.encode()) == EVENTS


def test_thoughts_of_another_stream_or_key_are_empty_and_the_rest_is_there() -> None:
    data = codec().encode("id", EVENTS).encode()
    empty = Thoughts(ThoughtRecord(), "call_1")
    for events in (codec().decode("other", data), codec(b"x" * 32).decode("id", data)):
        assert events == [EVENTS[0], empty, ChoiceEvent(1, empty)]


def test_an_info_reads_as_it_was() -> None:
    info = StreamInfo(
        id="a",
        principal="p",
        dialect="events",
        keep="ended",
        model="\ud83d",
        created=1,
        input=["x"],
    )
    assert decode_info(encode_info(info).encode()) == info


def test_ids_say_epoch_and_number() -> None:
    (entry,) = entries_in([(b"2-1", [b"e", b"[]"])])
    assert (entry.epoch, entry.last, entry.is_lost) == (2, 1, True)
