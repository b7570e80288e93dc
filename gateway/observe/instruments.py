"""The metrics as values: name, help text, labels, buckets. :mod:`.metrics` counts them.

Names end in their unit. Labels have few values: formats, families, upstreams, keys and error codes
come from tables and settings, never from a request. `make docs` makes the table in
`docs/operating.md` from this file.
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
    multiprocess_mode: Literal["livesum", "livemax", "livemin"] = "livesum"
    """How prometheus_client combines the workers' values of a gauge."""


_MODEL = ("family", "upstream")
_IN_WORKER = ("upstream", "worker")
TURNS = Instrument(
    "counter",
    "gateway_turns_total",
    "Ended turns, by `end` (done, failed, refused, left) and by who caused a failure (`blame`: "
    "none, caller, client, upstream, gateway)",
    ("format", *_MODEL, "end", "blame"),
)
TURN_ERRORS = Instrument(
    "counter",
    "gateway_turn_errors_total",
    "Turns without a complete answer, by error code: timeouts, stalls, broken streams, clients "
    "that disconnected",
    ("code",),
)
ERROR_RESPONSES = Instrument(
    "counter",
    "gateway_error_responses_total",
    "Requests that got an error status, by error code, with or without a turn",
    ("code",),
)
TURN_TIMES = {
    "prompt_summary_ms": Instrument(
        "histogram",
        "gateway_time_to_prompt_summary_seconds",
        "From the arrival of a request to its prompt summary, the client's first text",
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
        "From the arrival of a request to the end of its turn, unless the client disconnects first",
        _MODEL,
        _WHOLE_S,
    ),
}
"""Field of a turn's log line → histogram."""
TOKENS = Instrument(
    "counter",
    "gateway_tokens_total",
    "Tokens that models generated, by `kind` (reasoning, answer): the upstream's usage, or an "
    "estimate from the text if it reports none",
    (*_MODEL, "kind"),
)
KEY_TURNS = Instrument(
    "counter",
    "gateway_key_turns_total",
    "Ended turns, by the name of the client's key and by `end`",
    ("key", "end"),
)
KEY_TOKENS = Instrument(
    "counter",
    "gateway_key_tokens_total",
    "Tokens that models generated, by the name of the client's key and by `kind`",
    ("key", "kind"),
)
OPEN_STREAMS = Instrument("gauge", "gateway_open_streams", "Turns in progress")
KEPT_STREAMS = Instrument(
    "gauge", "gateway_kept_streams", "Streams that clients can read again, in progress or ended"
)
KEPT_BYTES = Instrument(
    "gauge",
    "gateway_kept_bytes",
    "Memory of the kept streams that counts towards `MAX_KEPT_BYTES`",
)
STORE_UP = Instrument(
    "gauge",
    "gateway_stream_store_up",
    "1 while every worker reaches the server of `STREAM_STORE`, else 0; always 1 with `memory`",
    multiprocess_mode="livemin",
)
STREAM_LIMIT = Instrument(
    "gauge",
    "gateway_stream_limit",
    "Limit for the turns in progress: the sum of the workers' `MAX_STREAMS`",
)
WRITE_GAP = Instrument(
    "histogram",
    "gateway_write_gap_seconds",
    "Time between two writes to the same client, including heartbeats",
    (),
    _GAP_S,
)
SENT_BYTES = Instrument(
    "counter", "gateway_sent_bytes_total", "Bytes of responses, without the framing of HTTP"
)
HEARTBEATS = Instrument("counter", "gateway_heartbeats_total", "Heartbeats sent on silent streams")
ATTEMPTS = Instrument(
    "counter",
    "gateway_upstream_attempts_total",
    "Requests to upstreams, by `result`: accepted, the class of the error status (3xx, 4xx, 5xx; "
    "429 separately), or the error code if there was no status",
    ("upstream", "result"),
)
BREAKER = Instrument(
    "gauge",
    "gateway_breaker_state",
    "The worst state of an upstream's circuit breakers in a worker: 0 closed, 1 half-open, 2 open",
    _IN_WORKER,
    multiprocess_mode="livemax",
)
UPSTREAM_IN_ORDER = Instrument(
    "gauge",
    "gateway_upstream_in_order",
    "1 while a worker can reach an upstream, the upstream passes its health check and accepts the "
    "gateway's key; else 0",
    _IN_WORKER,
)
UPSTREAM_STREAMS = Instrument(
    "gauge",
    "gateway_upstream_open_streams",
    "A worker's open streams at an upstream",
    _IN_WORKER,
)
MODELS_OUT = Instrument(
    "gauge",
    "gateway_upstream_models_out",
    "Number of models that a worker does not request from an upstream, for some or all callers, "
    "because a breaker is not closed or because of a `Retry-After`",
    _IN_WORKER,
)
STARTS_INSIDE = Instrument(
    "counter",
    "gateway_starts_inside_detected_total",
    "Models that the gateway found to start inside their reasoning, because several turns in a row "
    "had an end marker without a start",
    ("upstream",),
)
THINKING_ENDED = Instrument(
    "counter",
    "gateway_thinking_ended_total",
    "Turns whose thinking the gateway has ended, by `why` (request, budget) and `way` (control, "
    "prefill, restart)",
    ("upstream", "why", "way"),
)
CONTINUED = Instrument(
    "counter",
    "gateway_continued_total",
    "Answers that an upstream (`by`) continued after another one (`upstream`) had broken off",
    ("upstream", "by"),
)
SUMMARIZER_CALLS = Instrument(
    "counter",
    "gateway_summarizer_calls_total",
    "Calls of the summary model, one for each part of a summary, by `result` (succeeded, failed)",
    ("result",),
)
SUMMARIZER_TOKENS = Instrument(
    "counter",
    "gateway_summarizer_tokens_total",
    "Tokens of the summary model's calls, including prompts, as its server counts them",
)
INSTRUMENTS = (
    TURNS,
    TURN_ERRORS,
    ERROR_RESPONSES,
    *TURN_TIMES.values(),
    TOKENS,
    KEY_TURNS,
    KEY_TOKENS,
    OPEN_STREAMS,
    KEPT_STREAMS,
    KEPT_BYTES,
    STORE_UP,
    STREAM_LIMIT,
    WRITE_GAP,
    SENT_BYTES,
    HEARTBEATS,
    ATTEMPTS,
    BREAKER,
    UPSTREAM_IN_ORDER,
    UPSTREAM_STREAMS,
    MODELS_OUT,
    STARTS_INSIDE,
    THINKING_ENDED,
    CONTINUED,
    SUMMARIZER_CALLS,
    SUMMARIZER_TOKENS,
)
