"""The views of this host's workers: what each knows about the upstreams. Any worker shows them all.

Each worker writes its view to a file beside the metrics when the view changes, and every 2 s.
gunicorn_settings removes the file of a worker that has ended. Without gunicorn there is one view.
"""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

_REWRITE_S = 2.0
"""An unchanged view is written again after this long, so that an old file shows a worker that
hangs."""


class WorkerViews:
    """The views of all workers; this one's is kept in memory as well."""

    def __init__(self, worker: int | None, directory: str | None) -> None:
        """worker: the number of this one; None if the process has no other workers."""
        self._worker = worker
        shared = directory is not None and worker is not None
        self._directory = Path(directory) if shared and directory else None
        self._own: Mapping[str, Any] = {}
        self._written = b""
        self._written_at = float("-inf")

    def publish(self, view: Mapping[str, Any], now: float) -> None:
        """Keeps this worker's view, and writes it if that is due. now: monotonic seconds."""
        self._own = view
        if self._directory is None:
            return
        data = msgspec.json.encode(view)
        if data == self._written and now - self._written_at < _REWRITE_S:
            return
        path = self._directory / f"worker_{self._worker}.json"
        new = path.with_suffix(".new")
        try:
            new.write_bytes(data)
            new.replace(path)
        except OSError:  # the disk is full, and no view is better than a wrong one
            for stale in (path, new):
                with suppress(OSError):
                    stale.unlink()
            return
        self._written, self._written_at = data, now

    def all(self) -> list[dict[str, Any]]:
        """Returns the views in the order of the workers, each with the worker's number and its
        age in seconds."""
        found = [{"worker": self._worker or 0, "age_s": 0.0, **self._own}]
        if self._directory is None:
            return found
        for path in self._directory.glob("worker_*.json"):
            with suppress(OSError, ValueError, msgspec.DecodeError):  # the worker has just ended
                number = int(path.stem.removeprefix("worker_"))
                if number != self._worker:
                    age_s = max(0.0, time.time() - os.stat(path).st_mtime)
                    view = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
                    found.append({"worker": number, "age_s": round(age_s, 1), **view})
        return sorted(found, key=lambda view: int(view["worker"]))
