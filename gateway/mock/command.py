"""The command line, and gevent's WSGI server under the app. Import it after gevent's patch."""

import select
import signal
import socket
from typing import TYPE_CHECKING, Any

import click
import gevent
from gevent.monkey import get_original
from gevent.pywsgi import WSGIHandler, WSGIServer

from gateway.mock.models import MODELS
from gateway.mock.request import Playback
from gateway.mock.server import create_app

if TYPE_CHECKING:
    from gateway.mock.local_model import LocalModel

MODEL_LIST = "\b\nModels:\n" + "\n".join(f"  {name:20} {s.about}" for name, s in MODELS.items())
PORT_HELP = "Port to listen on; 0 takes a free one.  [env: MOCK_PORT; default: 9000]"
SPEED = click.FloatRange(0, 100_000)
SPEED_HELP = "For requests that set none; 0 sends as fast as the client reads."
MODEL_HELP = "Let a real model answer, through transformers: a folder, or a name on the hub."
DELAY_HELP = "Seconds before the first byte, for requests that set none."


class InvalidOption(click.ClickException):
    """An option with an unusable value: one sentence, exit status 2."""

    exit_code = 2


class Handler(WSGIHandler):  # type: ignore[misc]  # gevent has no types
    """Sends small frames without delay, and lets the app ask whether the client has left."""

    def get_environ(self) -> Any:
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poller = get_original("select", "poll")()
        poller.register(self.socket.fileno(), getattr(select, "POLLRDHUP", select.POLLHUP))
        environ = super().get_environ()
        environ["mock.client_gone"] = lambda: bool(poller.poll(0))
        return environ


def read_port(_: click.Context, __: click.Parameter, text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise InvalidOption(f"--port or MOCK_PORT must be a number from 0 to 65535, not {text!r}.")


def load_model(path: str) -> "LocalModel":
    """Loads a real model. Raises InvalidOption if a package or the model is missing."""
    try:
        from gateway.mock.local_model import LocalModel  # here, because it imports torch

        return LocalModel(path)
    except ImportError as error:
        message = f"--model needs `pip install -r requirements-local.txt` ({error})."
    except (OSError, ValueError) as error:
        message = f"--model {path} cannot be loaded: {str(error).splitlines()[0]}"
    raise InvalidOption(message)


@click.command(epilog=MODEL_LIST)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default="9000", envvar="MOCK_PORT", callback=read_port, help=PORT_HELP)
@click.option("--model", "path", metavar="PATH_OR_NAME", help=MODEL_HELP)
@click.option("--tokens-per-second", default=80.0, type=SPEED, show_default=True, help=SPEED_HELP)
@click.option("--delay", default=0.0, type=click.FloatRange(0, 3600), help=DELAY_HELP)
@click.option("--log", is_flag=True, help="Write a line for each request to stderr.")
def main(
    host: str, port: int, path: str | None, tokens_per_second: float, delay: float, log: bool
) -> None:
    """A scripted model server that speaks the OpenAI chat API."""
    local = load_model(path) if path else None
    app = create_app(Playback(tokens_per_second=tokens_per_second, delay_s=delay), local)
    log_to = "default" if log else None
    server = WSGIServer((host, port), app, backlog=2048, handler_class=Handler, log=log_to)
    try:
        server.start()
    except OSError as error:
        reason = str(error.strerror).partition(":")[0]  # gevent 26.9 appends the address
        raise click.ClickException(f"Cannot listen on {host}:{port}: {reason}.") from None
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, server.stop, 0)
    click.echo(f"mock upstream on http://{host}:{server.server_port}")
    server.serve_forever()
