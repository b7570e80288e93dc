"""The metrics: counts events and renders the counts for Prometheus.

Each worker counts into files in a directory that all workers of one gunicorn share, so any worker
can report the sum (prometheus_client's multiprocess mode). gunicorn_settings makes the directory
and numbers the workers. Without gunicorn, the counts stay in the process.

Updating a shared file is expensive: a dozen counters cost seventy Python calls. So writes
(:class:`WriteStats`) and ended turns are added to plain numbers first, and `flush` moves these to
the files about once a second and when the last open turn ends. An ended turn is counted from its
log line, so the log and the metrics can't disagree.
"""

import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
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
from gateway.observe.instruments import INSTRUMENTS, TURN_TIMES, Instrument
from gateway.observe.reserved_file import reserve_files

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BREAKER_VALUES = {"closed": 0, "half_open": 1, "open": 2}


class WorkerFiles(MultiProcessCollector):
    """Collects the sum over the files of all workers.

    Files that have just been opened are left out. prometheus_client 0.26 reads each file's head. A
    worker that starts has not written it yet, and never writes it if it is killed then.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        super().__init__(registry)  # type: ignore[no-untyped-call]

    def collect(self) -> Any:
        files = []
        for path in self._folder.glob("*.db"):
            with suppress(FileNotFoundError):  # of a worker that has ended
                if path.stat().st_size:
                    files.append(str(path))
        return self.merge(files, accumulate=True)  # type: ignore[no-untyped-call]


class HistogramBatch:
    """Observations that will be added to their histogram together."""

    __slots__ = ("bounds_s", "counts", "total_s")

    def __init__(self, instrument: Instrument) -> None:
        self.bounds_s = instrument.buckets_s
        self.counts = [0] * (len(self.bounds_s) + 1)
        """Observations in each bucket; the last bucket has no upper bound."""
        self.total_s = 0.0

    def observe(self, time_s: float) -> None:
        """Adds one observation."""
        self.counts[bisect_left(self.bounds_s, time_s)] += 1
        self.total_s += time_s


class WorkerWrites:
    """Counts a worker's writes to its clients since the last flush."""

    __slots__ = ("bytes", "gaps", "heartbeats")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Sets everything to zero."""
        self.bytes = 0
        self.heartbeats = 0
        self.gaps = HistogramBatch(instruments.WRITE_GAP)


class WriteStats:
    """Counts the writes to one client, for its log line and for the worker's sum."""

    __slots__ = ("_last_s", "_worker", "bytes", "heartbeats", "longest_gap_s", "writes")

    def __init__(self, worker: WorkerWrites) -> None:
        self.bytes = 0
        self.heartbeats = 0
        self.writes = 0
        self.longest_gap_s = 0.0
        self._last_s: float | None = None
        self._worker = worker

    def write(self, size: int, now: float) -> None:
        """Counts a write of `size` bytes. now: monotonic seconds."""
        worker = self._worker
        if self._last_s is not None:
            gap_s = now - self._last_s
            # HistogramBatch.observe, inlined: this runs once for each token.
            gaps = worker.gaps
            gaps.counts[bisect_left(gaps.bounds_s, gap_s)] += 1
            gaps.total_s += gap_s
            if gap_s > self.longest_gap_s:
                self.longest_gap_s = gap_s
        self._last_s = now
        self.writes += 1
        self.bytes += size
        worker.bytes += size

    def heartbeat(self) -> None:
        """Counts a heartbeat. Its bytes are counted by `write`."""
        self.heartbeats += 1
        self._worker.heartbeats += 1

    def record(self) -> dict[str, int]:
        """The fields of the turn's log line."""
        return {
            "sent_bytes": self.bytes,
            "writes": self.writes,
            "heartbeats": self.heartbeats,
            "longest_gap_ms": round(self.longest_gap_s * 1000),
        }


class Metrics:
    """The metrics of one worker."""

    def __init__(
        self, worker: int | None = None, on_lost: Callable[[OSError], None] = lambda error: None
    ) -> None:
        """worker: its number; None: gunicorn does not run, and there are no other workers.

        on_lost: called when metrics can't be written to the disk and stay in this process.
        """
        if worker is not None:
            reserve_files(on_lost)
        self.writes = WorkerWrites()
        self._is_alone = worker is None
        self._worker = worker or 0
        # prometheus_client 0.26 reads this undocumented global when it makes a metric or a label.
        # Its own value names the files by process id. Named by worker number, a replacement worker
        # continues the files of the worker that it replaces.
        values.ValueClass = MutexValue if worker is None else MultiProcessValue(lambda: worker)
        disable_created_metrics()  # a sum over workers has no creation time
        self._registry = CollectorRegistry()
        self._made = {each: _make(each, self._registry) for each in INSTRUMENTS}
        self._series = cache(self._find_series)
        self._counts: defaultdict[tuple[Any, ...], float] = defaultdict(float)
        """Counter and labels → what to add at the next flush."""
        self._times: dict[tuple[Any, ...], HistogramBatch] = {}
        """Histogram and labels → what to add at the next flush."""
        for by_code in (instruments.TURN_ERRORS, instruments.ERROR_RESPONSES):
            # Begins at 0, because to Prometheus a series that begins at 1 has not increased.
            self._series(by_code, GatewayFault.code)

    def text(self) -> bytes:
        """Returns the sum over all workers in Prometheus' text format."""
        if self._is_alone:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        WorkerFiles(registry)
        return generate_latest(registry)

    def count_turn(self, record: Mapping[str, Any]) -> None:
        """Counts an ended turn from the fields of its log line."""
        counts = self._counts
        model = (record["family"], record["upstream"])
        blame = record.get("blame", "none")
        key, end = record["key"], record["end"]
        counts[instruments.TURNS, record["format"], *model, end, blame] += 1
        counts[instruments.KEY_TURNS, key, end] += 1
        if "code" in record:
            counts[instruments.TURN_ERRORS, _known(record["code"])] += 1
        for field, instrument in TURN_TIMES.items():
            if (ms := record.get(field)) is not None:
                series = (instrument, *model)
                if series not in self._times:
                    self._times[series] = HistogramBatch(instrument)
                self._times[series].observe(ms / 1000)
        estimates = record["estimated_reasoning_tokens"], record["estimated_output_tokens"]
        tokens = counted(record["usage"], *estimates)
        for kind, count in zip(("reasoning", "answer"), tokens, strict=True):
            if count:
                counts[instruments.TOKENS, *model, kind] += count
                counts[instruments.KEY_TOKENS, key, kind] += count
        if why := record.get("thinking_ended"):
            way = record.get("way", "none")
            counts[instruments.THINKING_ENDED, record["upstream"], why, way] += 1
        if broke := record.get("continued_from"):
            counts[instruments.CONTINUED, broke, record["upstream"]] += 1
        if summarizer := record.get("summarizer"):
            failed = summarizer["failed"]
            counts[instruments.SUMMARIZER_CALLS, "failed"] += failed
            counts[instruments.SUMMARIZER_CALLS, "succeeded"] += summarizer["calls"] - failed
            counts[instruments.SUMMARIZER_TOKENS,] += summarizer.get("total_tokens", 0)

    def count_error_response(self, error: GatewayError) -> None:
        """Counts a request that was answered with an error status."""
        self._series(instruments.ERROR_RESPONSES, _known(error.code)).inc()

    def count_attempt(self, upstream: str, error: GatewayError | None) -> None:
        """Counts a request to an upstream. error: None if the upstream accepted it."""
        if error is None:
            result = "accepted"
        elif isinstance(error, UpstreamRefused):
            status = error.upstream_status
            result = "429" if status == 429 else f"{status // 100}xx"
        else:
            result = _known(error.code)
        self._counts[instruments.ATTEMPTS, upstream, result] += 1

    def count_starts_inside(self, upstream: str) -> None:
        """Counts a model of this upstream that the gateway found to start inside its reasoning."""
        self._series(instruments.STARTS_INSIDE, upstream).inc()

    def set_upstream(
        self, upstream: str, *, breaker: str, in_order: bool, open_streams: int, models_out: int
    ) -> None:
        """Sets what this worker knows about an upstream.

        breaker: `closed`, `half_open` or `open`. in_order, models_out: see the instruments.
        """
        labels = upstream, str(self._worker)
        self._series(instruments.BREAKER, *labels).set(_BREAKER_VALUES[breaker])
        self._series(instruments.UPSTREAM_IN_ORDER, *labels).set(in_order)
        self._series(instruments.UPSTREAM_STREAMS, *labels).set(open_streams)
        self._series(instruments.MODELS_OUT, *labels).set(models_out)

    def set_stream_limit(self, streams: int) -> None:
        """Sets how many turns can be in progress in this worker at the same time."""
        self._series(instruments.STREAM_LIMIT).set(streams)

    def set_store(self, *, up: bool) -> None:
        """Sets whether this worker reaches the store of streams."""
        self._series(instruments.STORE_UP).set(up)

    def flush(self, open_streams: int, kept_streams: int, kept_bytes: int) -> None:
        """Adds the plain numbers to prometheus_client's. The arguments are this worker's, now."""
        writes = self.writes
        self._series(instruments.OPEN_STREAMS).set(open_streams)
        self._series(instruments.KEPT_STREAMS).set(kept_streams)
        self._series(instruments.KEPT_BYTES).set(kept_bytes)
        self._series(instruments.SENT_BYTES).inc(writes.bytes)
        self._series(instruments.HEARTBEATS).inc(writes.heartbeats)
        self._series(instruments.WRITE_GAP).add(writes.gaps)
        writes.clear()
        for series, count in self._counts.items():
            self._series(*series).inc(count)
        self._counts.clear()
        for series, batch in self._times.items():
            self._series(*series).add(batch)
        self._times.clear()

    def _find_series(self, instrument: Instrument, *labels: str) -> Any:
        metric = self._made[instrument]
        return metric.labels(*labels) if labels else metric


class _Histogram(Histogram):
    """A histogram that takes a batch of observations in one call.

    `_buckets` and `_sum` are private in prometheus_client 0.26, whose public `observe` takes one
    observation. A bucket counts only its own observations; the text format adds the lower ones.
    """

    def add(self, batch: HistogramBatch) -> None:
        for bucket, count in zip(self._buckets, batch.counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum.inc(batch.total_s)


def _make(instrument: Instrument, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    name, meaning = instrument.name, instrument.meaning
    common: dict[str, Any] = {"labelnames": instrument.labels, "registry": registry}
    if instrument.kind == "counter":
        return Counter(name, meaning, **common)
    if instrument.kind == "gauge":
        return Gauge(name, meaning, multiprocess_mode=instrument.multiprocess_mode, **common)
    return _Histogram(name, meaning, buckets=instrument.buckets_s, **common)


def _known(code: str | None) -> str:
    """Returns the error code if it is the gateway's own, else `other`.

    Upstreams have codes of their own, and a label must have few values.
    """
    return code if code in CODES else "other"
