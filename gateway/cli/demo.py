"""Starts the gateway and a scripted model server, and stops both.

`make run` starts the model server only if the settings name no real one; `reasoning-gateway serve
--demo` always starts it. Ctrl-C ends both programs; so does the end of one of them.
"""

import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

import click

from gateway.cli.serve import gunicorn_command
from gateway.config import Config, host_in_url
from gateway.errors import ConfigError
from gateway.loaded import load_config

POLL_S = 0.05
_ANY = ("0.0.0.0", "::")  # noqa: S104
"""Stand for all addresses of this host."""
STOP_S = 10
"""Programs that have not ended after this long are killed."""

READY = """
  The demo page:  {url}/
  The model:      {upstream}
  The API:        curl -N {url}/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{{"messages": [{{"role": "user", "content": "What is 2+2?"}}], "stream": true}}'
  Ollama's API:   OLLAMA_HOST={url} for what speaks only that
  Ctrl-C stops.
"""


def run(gunicorn: Sequence[str] = (), *, always_mocked: bool = False) -> int:
    """Runs until it is stopped; returns the exit status.

    gunicorn: its options. always_mocked: also if the settings name a model server.
    """
    try:
        config = load_config()
    except ConfigError as error:
        return fail(str(error))
    if always_mocked and config.upstreams:
        return fail(
            "--demo cannot replace the model servers of [[upstreams]] in the settings file; leave "
            "--demo out, or choose another settings file with --config."
        )
    mocked = always_mocked or not names_upstream(config)
    ports = {"PORT": config.port} | ({"MOCK_PORT": config.mock_port} if mocked else {})
    host = "127.0.0.1" if config.host in _ANY else config.host
    for name, port in ports.items():
        if is_in_use(host if name == "PORT" else "127.0.0.1", port):
            return fail(f"port {port} is in use; set {name} to another one.")

    env = {"LOG_FORMAT": "console", "DRAIN_TIMEOUT_S": "2", **os.environ}
    if not env.get("WEB_CONCURRENCY"):
        env.pop("WEB_CONCURRENCY", None)
    upstream = ", ".join(named.shown_url for named in config.effective_upstreams)
    if mocked:
        upstream = env["UPSTREAM_URL"] = f"http://127.0.0.1:{config.mock_port}"
    gateway = gunicorn_command(["--log-level", "warning", *gunicorn])
    programs = []
    end_on(signal.SIGTERM, signal.SIGHUP)
    try:
        if mocked:
            programs.append(start([sys.executable, "-m", "gateway.mock"], env))
        programs.append(start(gateway, env))
        announced = False
        while all(program.poll() is None for program in programs):
            if not announced and is_ready(host, config.port):
                click.echo(ready_message(host, config, upstream))
                announced = True
            time.sleep(POLL_S)
        return fail("a program has ended; see its output above.")
    except KeyboardInterrupt:
        return 0
    finally:
        stop(programs)


def ready_message(host: str, config: Config, upstream: str) -> str:
    """Returns what is printed when the gateway answers. upstream: the model server's address."""
    return READY.format(url=f"http://{host_in_url(host)}:{config.port}", upstream=upstream)


def names_upstream(config: Config) -> bool:
    """Whether the environment or the settings file names a model server."""
    named = os.environ.get("UPSTREAM_URL") or config.upstreams
    return bool(named) or config.upstream_url != Config().upstream_url


def end_on(*endings: signal.Signals) -> None:
    """Makes signals end the demo as Ctrl-C does. An ignored signal stays ignored, for nohup."""
    for ending in endings:
        if signal.getsignal(ending) is not signal.SIG_IGN:
            signal.signal(ending, signal.default_int_handler)


def start(command: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Starts a program in its own session, so that Ctrl-C reaches only this script."""
    return subprocess.Popen(command, env=env, start_new_session=True)  # noqa: S603


def stop(programs: list[subprocess.Popen[bytes]]) -> None:
    """Terminates the programs; kills them on a second Ctrl-C or after STOP_S."""
    try:
        for program in programs:
            program.terminate()
        for program in programs:
            program.wait(STOP_S)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        for program in programs:
            program.kill()


def is_in_use(host: str, port: int) -> bool:
    """Whether another program listens at the port.

    False also if the gateway can't listen there for another reason, which gunicorn explains.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
        return False


def is_ready(host: str, port: int) -> bool:
    """Whether the gateway answers. http.client ignores proxies in the environment."""
    connection = http.client.HTTPConnection(host, port, timeout=1)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def fail(sentence: str) -> int:
    """Prints the sentence to standard error; returns the exit status."""
    click.echo(f"gateway: {sentence}", err=True)
    return 1
