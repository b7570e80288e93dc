"""How gunicorn runs the gateway: gevent workers, and time for open streams when it is stopped.

Nothing heavy is imported here: gevent has to patch the standard library first, in each worker.
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
from gateway.loaded import current, reread

try:
    _fault = reread()
except ConfigError as error:
    sys.exit(f"gateway: {error}")
_config = current()

bind = f"{_config.host}:{_config.port}"
workers = _config.workers
worker_class = "gateway.server.worker.Worker"
# Some above the streams, so that health checks and refusals get through when they are all open.
worker_connections = _config.max_streams + 200
keepalive = 75
# The worker's own heartbeat, not a limit for requests.
timeout = 60
# The master kills when its patience ends, so it must have more of it than the drain takes.
graceful_timeout = int(_config.drain_timeout_s) + 10
# It would want a place to write to, which a container need not have.
control_socket_disable = True


def _allow_files(needed):
    """Raises the limit of open files as far as it may: a shell's, or systemd's, is mostly 1024."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY:
        needed = min(needed, most)
    if resource.RLIM_INFINITY != allowed < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))


# Two sockets a stream, and some files of its own.
_allow_files(2 * _config.max_streams + 300)

_METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"


def on_starting(server):
    """Gives the workers an empty folder for their metrics: the one that is named, or a new one."""
    server.signal = _impatient(server.signal)
    if named := os.environ.get(_METRICS_DIR):
        Path(named).mkdir(parents=True, exist_ok=True)
        for left_over in Path(named).glob("*.db"):
            left_over.unlink()
    else:
        server.metrics_dir = os.environ[_METRICS_DIR] = tempfile.mkdtemp(prefix="gateway-metrics-")


def _impatient(handle):
    """A second SIGTERM ends at once, for which gunicorn itself would want a SIGINT."""
    came = set()

    def signalled(number, frame):
        again = number == signal.SIGTERM and number in came
        came.add(number)
        handle(signal.SIGQUIT if again else number, frame)

    return signalled


def on_exit(server):
    """Removes what on_starting has made."""
    if made := getattr(server, "metrics_dir", None):
        shutil.rmtree(made, ignore_errors=True)


def on_reload(server):
    """Tells the workers that have the old settings to end, and waits for none of them.

    gunicorn would wait for their last stream, deaf to signals and to the death of other workers.
    So they count as wanted until they are gone (child_exit), and not as the oldest.
    """
    if _fault:
        server.log.error("%s The settings stay as they were.", _fault.message)
    for pid, worker in server.WORKERS.items():
        worker.age = math.inf
        server.kill_worker(pid, signal.SIGTERM)
    server.num_workers += len(server.WORKERS)


def pre_fork(server, worker):
    """Numbers the workers. A worker that replaces another goes on in its files, so few are made."""
    taken = {other.number for other in server.WORKERS.values()}
    worker.number = next(number for number in itertools.count() if number not in taken)


def post_fork(server, worker):
    """Hears a SIGTERM that comes while the worker starts, when gunicorn does not listen yet."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.environ["GATEWAY_WORKER"] = str(worker.number)


def child_exit(server, worker):
    """Forgets a worker that is gone, and what was under way in it; its counts stay.

    prometheus_client has a function for it, but its import would come before gevent's patches.
    """
    if worker.age == math.inf:
        server.num_workers -= 1
    for of_the_moment in Path(os.environ[_METRICS_DIR]).glob(f"gauge_live*_{worker.number}.db"):
        of_the_moment.unlink(missing_ok=True)
