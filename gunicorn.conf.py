"""gunicorn's settings and hooks: gevent workers, a drain on SIGTERM, a reload without waiting.

gevent patches the standard library in each worker. Only modules that need no patch are imported
here.
"""

import itertools
import math
import os
import resource
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from gateway.errors import ConfigError
from gateway.loaded import loaded_config, reload_config

try:
    _fault = reload_config()
except ConfigError as error:
    sys.exit(f"gateway: {error}")
_config = loaded_config()

_host = f"[{_config.host}]" if ":" in _config.host else _config.host  # an IPv6 address
bind = f"{_host}:{_config.port}"
workers = _config.workers
worker_class = "gateway.server.worker.Worker"
worker_connections = _config.max_connections
keepalive = 75
# For the worker's heartbeat to the master; not a limit for requests.
timeout = 60
# The master kills workers after this time, so it must be longer than their drain.
graceful_timeout = int(_config.drain_timeout_s) + 10
# By default gunicorn 27.0 lets headers of clients on loopback, and so of all behind a proxy there,
# replace SCRIPT_NAME and PATH_INFO: `SCRIPT_NAME: /x` makes /x/metrics the path /metrics.
forwarder_headers = ""
# gunicorn's control socket (27.0) needs a writable directory; a read-only container has none.
control_socket_disable = True


def _allow_files(needed):
    """Raises the soft limit of open files, as far as the hard limit allows.

    A shell's or systemd's soft limit is usually 1024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    if resource.RLIM_INFINITY != soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


# Two sockets per stream, and some files of the worker's own.
_allow_files(2 * _config.max_streams + 300)

_METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"


def on_starting(server):
    """Prepares an empty directory for the workers' metrics: the configured one, or a new one.

    Another is for the sockets over which the workers call each other; only this user may enter it.
    """
    server.signal = _second_term_quits(server.signal)
    server.workers_dir = tempfile.mkdtemp(prefix="gateway-workers-")
    os.environ["GATEWAY_WORKERS_DIR"] = server.workers_dir
    if configured := os.environ.get(_METRICS_DIR):
        Path(configured).mkdir(parents=True, exist_ok=True)
        for stale in Path(configured).glob("*.db"):
            stale.unlink()
    else:
        server.metrics_dir = os.environ[_METRICS_DIR] = tempfile.mkdtemp(prefix="gateway-metrics-")


def _second_term_quits(handle):
    """Wraps gunicorn's signal handler: a second SIGTERM stops at once.

    While gunicorn 27.0 stops gracefully, only SIGINT and SIGQUIT make it hurry.
    """
    received = set()

    def on_signal(number, frame):
        again = number == signal.SIGTERM and number in received
        received.add(number)
        handle(signal.SIGQUIT if again else number, frame)

    return on_signal


def on_exit(server):
    """Removes the directories that on_starting has created."""
    shutil.rmtree(server.workers_dir, ignore_errors=True)
    if created := getattr(server, "metrics_dir", None):
        shutil.rmtree(created, ignore_errors=True)


def on_reload(server):
    """Tells the old workers to finish, without waiting for them.

    gunicorn 27.0 would wait up to graceful_timeout for their last stream, and meanwhile handle no
    signal and replace no dead worker. It waits while a worker is older than those that it starts
    now, so the old ones get an infinite `age`. It kills the oldest workers above `num_workers`, so
    they count as wanted until they end (child_exit).
    """
    if _fault:
        server.log.error("%s The settings stay as they were.", _fault.message)
    for pid, worker in server.WORKERS.items():
        worker.age = math.inf
        server.kill_worker(pid, signal.SIGTERM)
    server.num_workers += len(server.WORKERS)


def pre_fork(server, worker):
    """Numbers the workers. A replacement gets the number, and so the metrics files, of the old."""
    taken = {other.number for other in server.WORKERS.values()}
    worker.number = next(number for number in itertools.count() if number not in taken)


def post_fork(server, worker):
    """Lets SIGTERM end a worker that is still starting.

    Until gunicorn 27.0 sets the worker's own handlers it has the master's, which only queue it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.environ["GATEWAY_WORKER"] = str(worker.number)


def child_exit(server, worker):
    """Removes the gauges of a worker that has ended; its counters stay.

    prometheus_client's mark_process_dead does the same, but importing it here would load modules
    that gevent has to patch first.
    """
    if worker.age == math.inf:
        server.num_workers -= 1
    for live_gauge in Path(os.environ[_METRICS_DIR]).glob(f"gauge_live*_{worker.number}.db"):
        live_gauge.unlink(missing_ok=True)
