"""What is measured, as values: a name, a meaning, labels, buckets. The metrics module counts.

Units are in the names. Labels have few values: formats, families, upstreams and error codes come
from tables and settings, never from a request. The table in `docs/operating.md` is made from here.
"""

from typing import Literal

import msgspec

_SOON_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_FIRST_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0)
_WHOLE_S = (0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
_GAP_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)


class Instrument(msgspec.Struct, frozen=True, eq=False):
    """One metric."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets_s: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, in seconds."""
    over_workers: Literal["livesum", "livemax"] = "livesum"
    """How the workers' values of a gauge become one."""


_MODEL = ("family", "upstream")
TURNS = Instrument(
    "counter",
    "gateway_turns_total",
    "Turns that have ended, by how (`end`: done, failed, refused, left) and whose fault it was "
    "(`blame`: none, caller, client, upstream, gateway)",
    ("format", *_MODEL, "end", "blame"),
)
TURN_ERRORS = Instrument(
    "counter",
    "gateway_turn_errors_total",
    "Turns that did not end well, by error code: time limits, stalls, broken streams, clients that "
    "left",
    ("code",),
)
REFUSALS = Instrument(
    "counter",
    "gateway_refusals_total",
    "Requests that were answered with an error status, by error code, whether a turn had begun or "
    "not",
    ("code",),
)
MOMENTS = {
    "prompt_summary_ms": Instrument(
        "histogram",
        "gateway_time_to_prompt_summary_seconds",
        "From the arrival of a request to its prompt summary, the first thing that a client sees",
        _MODEL,
        _SOON_S,
    ),
    "first_reasoning_ms": Instrument(
        "histogram",
        "gateway_time_to_first_reasoning_seconds",
        "From the arrival of a request to the first text of the reasoning",
        _MODEL,
        _FIRST_S,
    ),
    "first_summary_ms": Instrument(
        "histogram",
        "gateway_time_to_first_summary_seconds",
        "From the arrival of a request to the first line of the reasoning's summary",
        _MODEL,
        _FIRST_S,
    ),
    "first_output_ms": Instrument(
        "histogram",
        "gateway_time_to_first_output_seconds",
        "From the arrival of a request to the first text of the answer",
        _MODEL,
        _FIRST_S,
    ),
    "total_ms": Instrument(
        "histogram",
        "gateway_turn_duration_seconds",
        "From the arrival of a request to the end of its turn, unless the client left before",
        _MODEL,
        _WHOLE_S,
    ),
}
"""Field of a turn's record → histogram."""
TOKENS = Instrument(
    "counter",
    "gateway_tokens_total",
    "Tokens that models wrote, by `kind` (reasoning, answer): from the upstream's usage, or "
    "estimated from the text where it gives none",
    (*_MODEL, "kind"),
)
OPEN_STREAMS = Instrument("gauge", "gateway_open_streams", "Turns under way")
STREAM_PLACES = Instrument(
    "gauge",
    "gateway_stream_places",
    "Turns that can be under way at once: `MAX_STREAMS` of every worker",
)
WRITE_GAP = Instrument(
    "histogram",
    "gateway_write_gap_seconds",
    "Between two writes to the same client; heartbeats are writes too",
    (),
    _GAP_S,
)
SENT_BYTES = Instrument(
    "counter", "gateway_sent_bytes_total", "Bytes of answers, without what HTTP adds"
)
HEARTBEATS = Instrument(
    "counter", "gateway_heartbeats_total", "Heartbeats written into silent streams"
)
ATTEMPTS = Instrument(
    "counter",
    "gateway_upstream_attempts_total",
    "Calls to upstreams, by `result`: accepted, the class of the status that refused it (3xx, 4xx, "
    "5xx; 429 by itself), or the code of the error that kept it from a status",
    ("upstream", "result"),
)
BREAKER = Instrument(
    "gauge",
    "gateway_breaker_state",
    "The breaker of an upstream: 0 closed, 1 half-open, 2 open; the worst of all workers",
    ("upstream",),
    over_workers="livemax",
)
LEARNED = Instrument(
    "counter",
    "gateway_lone_ends_learned_total",
    "Models that were found to start inside their reasoning, by their first lone end marker",
    ("upstream",),
)
SUMMARIZER_CALLS = Instrument(
    "counter",
    "gateway_summarizer_calls_total",
    "Parts of a summary that the summary model was asked for, by `result` (written, failed)",
    ("result",),
)
SUMMARIZER_TOKENS = Instrument(
    "counter",
    "gateway_summarizer_tokens_total",
    "Tokens of its calls, prompts included, as its server counts them",
)
INSTRUMENTS = (
    TURNS,
    TURN_ERRORS,
    REFUSALS,
    *MOMENTS.values(),
    TOKENS,
    OPEN_STREAMS,
    STREAM_PLACES,
    WRITE_GAP,
    SENT_BYTES,
    HEARTBEATS,
    ATTEMPTS,
    BREAKER,
    LEARNED,
    SUMMARIZER_CALLS,
    SUMMARIZER_TOKENS,
)
