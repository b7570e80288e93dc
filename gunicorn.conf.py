"""How gunicorn runs the gateway: gevent workers, and time for open streams when it is stopped.

Nothing heavy is imported here: gevent has to patch the standard library first, in each worker.
"""

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


def post_worker_init(worker):
    """Starts to watch for the worker's stop, to end streams well before it is killed."""
    import gevent

    relay = worker.wsgi.extensions["gateway"]

    def watch():
        while worker.alive:
            gevent.sleep(0.1)
        relay.drain(_config.drain_timeout_s)

    gevent.spawn(watch)
