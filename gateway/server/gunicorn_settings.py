"""gunicorn's settings and hooks: gevent workers, a drain on SIGTERM, a reload without waiting.

gunicorn runs its configuration file at the start and on each SIGHUP; that file only calls
:func:`settings`. gevent patches the standard library later, in each worker, so only modules that
need no patch are imported here. The hooks' arguments are gunicorn 27.0's Arbiter and Worker.
"""

import itertools
import math
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.config import Config, host_in_url, ignored
from gateway.errors import ConfigError
from gateway.loaded import loaded_config, reload_config

_METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"
_MARGIN_S = 10
"""The master kills a worker this long after its DRAIN_TIMEOUT_S has ended."""


def settings() -> dict[str, Any]:
    """Reads the gateway's settings; returns gunicorn's, by their names, with the hooks.

    On a reload, invalid settings change nothing, and the log says why. At the start they end the
    program with one sentence.
    """
    try:
        fault = reload_config()
    except ConfigError as error:
        sys.exit(f"gateway: {error}")
    config = loaded_config()
    # Two sockets per stream, and some files of the worker's own.
    _allow_files(2 * config.max_streams + 350)
    return {
        "bind": f"{host_in_url(config.host)}:{config.port}",
        "workers": config.workers,
        "worker_class": "gateway.server.worker.Worker",
        "worker_connections": config.max_connections,
        "logger_class": "gateway.server.log.ServerLog",
        "loglevel": config.log_level,
        "keepalive": 75,
        # For the worker's heartbeat to the master; not a limit for requests.
        "timeout": 60,
        "graceful_timeout": int(config.drain_timeout_s) + _MARGIN_S,
        # By default, gunicorn 27.0 lets headers from loopback replace SCRIPT_NAME and PATH_INFO:
        # `SCRIPT_NAME: /x` turns the path /x/metrics into /metrics. All clients of a proxy on
        # loopback could send them.
        "forwarder_headers": "",
        # gunicorn's control socket (27.0) needs a writable directory; a read-only container has
        # none.
        "control_socket_disable": True,
        "on_starting": _on_starting(config),
        "on_reload": _on_reload(fault),
        "on_exit": on_exit,
        "pre_fork": pre_fork,
        "post_fork": post_fork,
        "child_exit": child_exit,
    }


def _allow_files(needed: int) -> None:
    """Raises the soft limit of open files, as far as the hard limit allows.

    A shell's or systemd's soft limit is usually 1024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    if resource.RLIM_INFINITY != soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _on_starting(config: Config) -> Callable[[Any], None]:
    """Returns the hook that runs before the first worker."""

    def on_starting(server: Any) -> None:
        server.signal = _second_term_quits(server.signal)
        server.admin_socket = _open_admin_listener(config, server.log)
        _tell_ignored(server)
        _make_directories(server)

    return on_starting


def _make_directories(server: Any) -> None:
    """Makes the directories that the workers share.

    One is for their metrics: the configured one, emptied, or a new one. The other is for the
    sockets over which they call each other; only this user may enter it.
    """
    server.workers_dir = tempfile.mkdtemp(prefix="gateway-workers-")
    os.environ["GATEWAY_WORKERS_DIR"] = server.workers_dir
    if configured := os.environ.get(_METRICS_DIR):
        Path(configured).mkdir(parents=True, exist_ok=True)
        for pattern in ("*.db", "worker_*"):
            for stale in Path(configured).glob(pattern):
                stale.unlink()
    else:
        server.metrics_dir = os.environ[_METRICS_DIR] = tempfile.mkdtemp(prefix="gateway-metrics-")


def _open_admin_listener(config: Config, log: Any) -> socket.socket | None:
    """Opens the listener of ADMIN_BIND, which all workers inherit; None if it is not set.

    gunicorn does not manage it, so its option `-b` does not replace it.
    """
    if config.admin_address is None:
        return None
    host, port = config.admin_address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        listener = socket.create_server((host, port), family=family, dualstack_ipv6=both)
    except OSError as error:
        sys.exit(f"gateway: ADMIN_BIND: can't listen at {config.admin_bind}: {error.strerror}.")
    host, port = listener.getsockname()[:2]
    log.info("Health and metrics at: http://%s:%s", host_in_url(host), port)
    return listener


def _tell_ignored(server: Any) -> None:
    """Logs a warning for each setting that has no effect."""
    for sentence in ignored():
        server.log.warning("%s", sentence)


def _second_term_quits(handle: Callable[[int, Any], None]) -> Callable[[int, Any], None]:
    """Returns gunicorn's signal handler, changed so that a second SIGTERM stops at once.

    In gunicorn 27.0, only SIGINT and SIGQUIT cut a graceful stop short.
    """
    received: set[int] = set()

    def on_signal(number: int, frame: Any) -> None:
        again = number == signal.SIGTERM and number in received
        received.add(number)
        handle(signal.SIGQUIT if again else number, frame)

    return on_signal


def on_exit(server: Any) -> None:
    """Removes the directories that were created at the start."""
    shutil.rmtree(server.workers_dir, ignore_errors=True)
    if created := getattr(server, "metrics_dir", None):
        shutil.rmtree(created, ignore_errors=True)


def _on_reload(fault: ConfigError | None) -> Callable[[Any], None]:
    """Returns the hook that tells the old workers to finish, without waiting for them.

    fault: the mistake in the settings that were just read; None: they are valid.

    gunicorn 27.0 would wait up to graceful_timeout for the last stream of the old workers.
    Meanwhile it handles no signal and replaces no dead worker. The hook prevents two things:

    - gunicorn waits while a worker has a lower `age` than the new ones, so the old get an infinite
      `age`;
    - gunicorn kills the oldest workers above `num_workers`, so this number includes the old ones
      until they end (child_exit).
    """

    def on_reload(server: Any) -> None:
        if fault:
            server.log.error("%s The settings stay as they were.", fault.message)
        else:
            _tell_ignored(server)
        for pid, worker in server.WORKERS.items():
            worker.age = math.inf
            server.kill_worker(pid, signal.SIGTERM)
        server.num_workers += len(server.WORKERS)

    return on_reload


def pre_fork(server: Any, worker: Any) -> None:
    """Numbers the workers.

    A replacement gets the number, and so the metrics files, of the worker that it replaces.
    """
    taken = {other.number for other in server.WORKERS.values()}
    worker.number = next(number for number in itertools.count() if number not in taken)


def post_fork(server: Any, worker: Any) -> None:
    """Tells the worker its number, and lets SIGTERM end it while it is still starting.

    Until gunicorn 27.0 sets the worker's own signal handlers, it has the master's, which only queue
    a signal.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.environ["GATEWAY_WORKER"] = str(worker.number)
    worker.admin_socket = server.admin_socket


def child_exit(server: Any, worker: Any) -> None:
    """Removes the gauges and the view of a worker that has ended; its counters stay.

    prometheus_client 0.26's mark_process_dead removes the gauges too, but to import it here would
    load modules that gevent must patch first.
    """
    if worker.age == math.inf:
        server.num_workers -= 1
    for pattern in (f"gauge_live*_{worker.number}.db", f"worker_{worker.number}.*"):
        for file in Path(os.environ[_METRICS_DIR]).glob(pattern):
            file.unlink(missing_ok=True)
