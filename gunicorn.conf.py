"""How gunicorn runs the gateway: gevent workers, and time for open streams when it is stopped.

Nothing heavy is imported here: gevent has to patch the standard library first, in each worker.
"""

import signal
import sys

from gateway import Config
from gateway.errors import ConfigError

try:
    _config = Config.load()
except ConfigError as error:
    sys.exit(f"gateway: {error}")

bind = f"{_config.host}:{_config.port}"
workers = _config.workers
worker_class = "gevent"
# Some above the streams, so that health checks and refusals get through when they are all open.
worker_connections = _config.max_streams + 200
keepalive = 75
# The worker's own heartbeat, not a limit for requests.
timeout = 60
# The master kills when its patience ends, so it must have more of it than the drain takes.
graceful_timeout = int(_config.drain_timeout_s) + 10
# It would want a place to write to, which a container need not have.
control_socket_disable = True


def post_fork(server, worker):
    """Hears a SIGTERM that comes while the worker starts, when gunicorn does not listen yet."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def pre_request(worker, req):
    """Counts the requests under way."""
    worker.busy = getattr(worker, "busy", 0) + 1


def post_request(worker, req, environ, resp):
    """See pre_request."""
    worker.busy -= 1


def post_worker_init(worker):
    """Starts to watch for the worker's stop, to end streams well before it is killed."""
    import gevent

    relay = worker.wsgi.extensions["gateway"]
    main = gevent.getcurrent()

    def stop_in_order():
        while worker.alive:
            gevent.sleep(0.1)
        relay.drain(_config.drain_timeout_s)
        while getattr(worker, "busy", 0):
            gevent.sleep(0.05)
        # gunicorn would go on waiting for connections that are merely kept alive.
        gevent.kill(main, SystemExit(0))

    gevent.spawn(stop_in_order)
