"""Events are plain data: they can be stored and read again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.events import (
    ChoiceEvent,
    Done,
    Event,
    Extra,
    Failed,
    OutputDelta,
    PromptSummary,
    ReasoningDelta,
    ReasoningSummary,
    SummaryDelta,
    Thoughts,
    Timings,
    Tokens,
    ToolCallDelta,
    decode_events,
    encode_events,
)
from gateway.core.thoughts import ThoughtRecord
from gateway.errors import ErrorInfo

text = st.text(st.characters())  # lone surrogates too: models send them
count = st.integers(0, 2**53)
maybe_count = st.none() | count
value: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | count | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
members = st.dictionaries(text, value, max_size=3)
timings = st.builds(Timings, *[maybe_count] * 5)
error = st.builds(
    ErrorInfo,
    message=text,
    type=text,
    param=st.none() | text,
    code=st.none() | text,
    status=st.integers(400, 599),
    retry_after_s=maybe_count,
    blame=st.sampled_from(["operator", "caller", "client", "upstream", "gateway"]),
    model_ran=st.booleans(),
)
done = st.builds(
    Done,
    text,
    st.none() | members,
    timings,
    st.builds(Tokens, count, count),
    st.none() | text,
    st.none() | st.dictionaries(text, count, max_size=2),
)
one: st.SearchStrategy[Event] = st.one_of(
    st.builds(PromptSummary, text, count),
    st.builds(ReasoningDelta, text),
    st.builds(SummaryDelta, text),
    st.builds(ReasoningSummary, text, text),
    st.builds(Thoughts, st.builds(ThoughtRecord, text, text, text), text),
    st.builds(OutputDelta, text),
    st.builds(ToolCallDelta, members),
    st.builds(Extra, members, members, members),
    done,
    st.builds(Failed, error, timings),
)
event = one | st.builds(ChoiceEvent, count, one)


@given(st.lists(event, max_size=5))
def test_events_decode_to_equal_events(events: list[Event]) -> None:
    stored = encode_events(events)
    assert stored.isascii()
    assert decode_events(stored) == events


def test_infinity_is_stored_as_null_like_it_is_sent() -> None:
    stored = encode_events([ToolCallDelta({"weight": float("-inf")})])
    assert decode_events(stored) == [ToolCallDelta({"weight": None})]


@pytest.mark.parametrize("data", [b"", b"{}", b'[{"type":"Unknown"}]', b'[{"text":"no type"}]'])
def test_other_data_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode_events(data)
