"""The metrics: counts what happens and tells it to Prometheus.

Each worker counts for itself, in files of a folder that all workers of one gunicorn share, and any
of them can tell the sum (prometheus-client's multiprocess mode). gunicorn.conf.py makes the folder
and numbers the workers; without it the counts stay in the process.

What happens at every write (:class:`Written`) and at the end of every turn is added to plain
numbers that are carried over to the instruments about once a second and when the last open turn
ends: to count a dozen things in a shared file takes seventy calls of functions. What happens once a
turn is read from the turn's line in the log, so that the log and the metrics can't disagree.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MultiProcessValue, MutexValue

from gateway.core.tokens import counted
from gateway.errors import CODES, GatewayError, GatewayFault, UpstreamRefused
from gateway.observe import instruments
from gateway.observe.instruments import INSTRUMENTS, MOMENTS, Instrument
from gateway.routing.breaker import State

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BREAKER_VALUES: dict[State, int] = {"closed": 0, "half_open": 1, "open": 2}


class Spread:
    """Times on their way to a histogram."""

    __slots__ = ("bounds_s", "counts", "total_s")

    def __init__(self, instrument: Instrument) -> None:
        self.bounds_s = instrument.buckets_s
        self.counts = [0] * (len(self.bounds_s) + 1)
        """How many were in each bucket; the last has no bound."""
        self.total_s = 0.0

    def add(self, time_s: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds_s, time_s)] += 1
        self.total_s += time_s


class Written:
    """What a worker has written to its clients since the last carrying over."""

    __slots__ = ("bytes", "gaps", "heartbeats")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begins anew."""
        self.bytes = 0
        self.heartbeats = 0
        self.gaps = Spread(instruments.WRITE_GAP)


class Sent:
    """What was written to one client. It is called at every write and has to be cheap."""

    __slots__ = ("_last_s", "_written", "bytes", "heartbeats", "longest_gap_s", "writes")

    def __init__(self, written: Written) -> None:
        self.bytes = 0
        self.heartbeats = 0
        self.writes = 0
        self.longest_gap_s = 0.0
        self._last_s: float | None = None
        self._written = written

    def write(self, size: int, now: float) -> None:
        """So many bytes are on their way. `now`: monotonic seconds."""
        written = self._written
        if self._last_s is not None:
            gap_s = now - self._last_s
            gaps = written.gaps  # its add, without a call: this is once a token
            gaps.counts[bisect_left(gaps.bounds_s, gap_s)] += 1
            gaps.total_s += gap_s
            if gap_s > self.longest_gap_s:
                self.longest_gap_s = gap_s
        self._last_s = now
        self.writes += 1
        self.bytes += size
        written.bytes += size

    def heartbeat(self) -> None:
        """The next write is a heartbeat."""
        self.heartbeats += 1
        self._written.heartbeats += 1

    def record(self) -> dict[str, int]:
        """What the log says of it."""
        return {
            "sent_bytes": self.bytes,
            "writes": self.writes,
            "heartbeats": self.heartbeats,
            "longest_gap_ms": round(self.longest_gap_s * 1000),
        }


class Metrics:
    """The instruments of one worker."""

    def __init__(self, worker: int | None = None) -> None:
        """worker: its number; None: the process is alone."""
        self.written = Written()
        self._is_alone = worker is None
        # The instruments look here for what keeps their numbers, also when a label is new.
        values.ValueClass = MutexValue if worker is None else MultiProcessValue(lambda: worker)
        disable_created_metrics()  # several workers have no such time
        self._registry = CollectorRegistry()
        self._families = {made: _make(made, self._registry) for made in INSTRUMENTS}
        self._of = cache(self._find)
        self._counts: defaultdict[tuple[Any, ...], float] = defaultdict(float)
        """What is to be carried over: instrument and labels → how much was counted."""
        self._times: dict[tuple[Any, ...], Spread] = {}
        """The same for histograms."""
        for of_codes in (instruments.TURN_ERRORS, instruments.REFUSALS):
            self._of(of_codes, GatewayFault.code)  # so that already the first is a rise

    def text(self) -> bytes:
        """The counts of all workers, in Prometheus' text format."""
        if self._is_alone:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        return generate_latest(registry)

    def turn_ended(self, record: Mapping[str, Any]) -> None:
        """Counts a turn by its line in the log."""
        counts = self._counts
        model = (record["family"], record["upstream"])
        blame = record.get("blame", "none")
        counts[instruments.TURNS, record["format"], *model, record["end"], blame] += 1
        if "code" in record:
            counts[instruments.TURN_ERRORS, _bounded(record["code"])] += 1
        for field, instrument in MOMENTS.items():
            if (ms := record.get(field)) is not None:
                series = (instrument, *model)
                if series not in self._times:
                    self._times[series] = Spread(instrument)
                self._times[series].add(ms / 1000)
        tokens = counted(record["usage"], record["reasoning_tokens"], record["output_tokens"])
        for kind, count in zip(("reasoning", "answer"), tokens, strict=True):
            if count:
                counts[instruments.TOKENS, *model, kind] += count

        if written := record.get("summarizer"):
            failed = written["failed"]
            counts[instruments.SUMMARIZER_CALLS, "failed"] += failed
            counts[instruments.SUMMARIZER_CALLS, "written"] += written["calls"] - failed
            counts[instruments.SUMMARIZER_TOKENS,] += written.get("total_tokens", 0)

    def refused(self, error: GatewayError) -> None:
        """A request was answered with an error status."""
        self._of(instruments.REFUSALS, _bounded(error.code)).inc()

    def attempted(self, upstream: str, error: GatewayError | None) -> None:
        """An upstream was called and accepted the call (None), or this came of it."""
        if error is None:
            result = "accepted"
        elif isinstance(error, UpstreamRefused):
            status = error.upstream_status
            result = "429" if status == 429 else f"{status // 100}xx"
        else:
            result = _bounded(error.code)
        self._counts[instruments.ATTEMPTS, upstream, result] += 1

    def breaker(self, upstream: str, state: State) -> None:
        """The state of an upstream's breaker, when it is new or has changed."""
        self._of(instruments.BREAKER, upstream).set(_BREAKER_VALUES[state])

    def learned(self, upstream: str) -> None:
        """A model of this upstream was found to start inside its reasoning."""
        self._of(instruments.LEARNED, upstream).inc()

    def has_places(self, streams: int) -> None:
        """So many turns can be under way in this worker."""
        self._of(instruments.STREAM_PLACES).set(streams)

    def carry_over(self, open_streams: int) -> None:
        """From the plain numbers to the instruments."""
        written = self.written
        self._of(instruments.OPEN_STREAMS).set(open_streams)
        self._of(instruments.SENT_BYTES).inc(written.bytes)
        self._of(instruments.HEARTBEATS).inc(written.heartbeats)
        self._of(instruments.WRITE_GAP).add(written.gaps)
        written.clear()
        for series, count in self._counts.items():
            self._of(*series).inc(count)
        self._counts.clear()
        for series, spread in self._times.items():
            self._of(*series).add(spread)
        self._times.clear()

    def _find(self, instrument: Instrument, *labels: str) -> Any:
        """The one series of an instrument that has these labels."""
        family = self._families[instrument]
        return family.labels(*labels) if labels else family


class _Histogram(Histogram):
    """Takes many observations at once."""

    def add(self, spread: Spread) -> None:
        for bucket, count in zip(self._buckets, spread.counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum.inc(spread.total_s)


def _make(made: Instrument, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    common: dict[str, Any] = {"labelnames": made.labels, "registry": registry}
    if made.kind == "counter":
        return Counter(made.name, made.meaning, **common)
    if made.kind == "gauge":
        return Gauge(made.name, made.meaning, multiprocess_mode=made.over_workers, **common)
    return _Histogram(made.name, made.meaning, buckets=made.buckets_s, **common)


def _bounded(code: str | None) -> str:
    """An error code of ours; what upstreams invent is `other`."""
    return code if code in CODES else "other"
