"""The command line of `reasoning-gateway`."""

import os
import sys
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

import gateway
from gateway.cli import check, demo, keys, serve
from gateway.config.keys import hash_of

PROGRAM = "reasoning-gateway"
_PASSED_ON = {"ignore_unknown_options": True, "help_option_names": []}


def _print_completion(ctx: click.Context, _: click.Parameter, shell: str | None) -> None:
    if shell and (completion := get_completion_class(shell)):
        click.echo(completion(main, {}, PROGRAM, "_REASONING_GATEWAY_COMPLETE").source())
        ctx.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(gateway.__version__, prog_name=PROGRAM)
@click.option(
    "--completion",
    type=click.Choice(["bash", "zsh", "fish"]),
    callback=_print_completion,
    is_eager=True,
    expose_value=False,
    help="Print the completion script of a shell.",
)
def main() -> None:
    """Streams what a reasoning model thinks as a live summary, and then its answer."""


@main.command("serve", context_settings={"show_default": False})
@click.option("--upstream", metavar="URL", help="The model server.  [env: UPSTREAM_URL]")
@click.option("--demo", "is_demo", is_flag=True, help="Start a scripted model server beside it.")
@click.option("--host", help="Address to listen on.  [env: HOST; default: 127.0.0.1]")
@click.option("--port", help="Port to listen on.  [env: PORT; default: 8080]")
@click.option("--workers", help="Number of workers.  [env: WEB_CONCURRENCY; default: one per core]")
@click.option("--config", metavar="FILE", help="Settings file.  [env: GATEWAY_CONFIG]")
@click.option("--log-level", help="The lowest level that is logged.  [env: LOG_LEVEL]")
@click.argument("gunicorn", nargs=-1, metavar="[-- GUNICORN OPTIONS]")
def _serve(
    upstream: str | None,
    is_demo: bool,
    host: str | None,
    port: str | None,
    workers: str | None,
    config: str | None,
    log_level: str | None,
    gunicorn: tuple[str, ...],
) -> None:
    """Start the server. Settings come from the environment and from gateway.toml."""
    if upstream and is_demo:
        raise click.UsageError("--demo has a model server of its own; leave --upstream out")
    given = {
        "UPSTREAM_URL": upstream,
        "HOST": host,
        "PORT": port,
        "WEB_CONCURRENCY": workers,
        "GATEWAY_CONFIG": config,
        "LOG_LEVEL": log_level,
    }
    os.environ.update({name: value for name, value in given.items() if value})
    if is_demo:
        sys.exit(demo.run(gunicorn, always_mocked=True))
    serve.run_gunicorn(gunicorn)


@main.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def _check(file: Path | None) -> None:
    """Check the settings, without starting anything. Exit status 1 on a mistake.

    FILE: a settings file; by default the one that GATEWAY_CONFIG names, else gateway.toml.
    """
    sys.exit(check.run(file))


@main.command("doctor")
@click.option("--upstream", metavar="URL", help="The model server.  [env: UPSTREAM_URL]")
@click.option("--config", metavar="FILE", help="Settings file.  [env: GATEWAY_CONFIG]")
@click.option("--model", help="The model to ask; by default the first that a server lists.")
@click.option(
    "--timeout",
    type=click.FloatRange(1),
    default=60.0,
    show_default=True,
    help="Seconds that an answer may take, and that it may be silent.",
)
def _doctor(upstream: str | None, config: str | None, model: str | None, timeout: float) -> None:
    """Ask each model server, and say what to change. Exit status 1 on a fault."""
    given = {"UPSTREAM_URL": upstream, "GATEWAY_CONFIG": config}
    os.environ.update({name: value for name, value in given.items() if value})
    from gateway.cli import doctor  # imported here because it loads the whole gateway

    sys.exit(doctor.run(model, timeout))


@main.group("key")
def _key() -> None:
    """Keys of clients."""


@_key.command("new")
def _key_new() -> None:
    """Make a key. Prints it and its hash, which the settings can hold in its place."""
    key = keys.new_key()
    click.echo(f"key   {key}\nhash  {hash_of(key)}")
    click.echo(
        "Give the key to the client, and the hash to the gateway: API_KEYS, or `key` in [[keys]].",
        err=True,
    )


@main.command("chat", context_settings=_PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def _chat(arguments: tuple[str, ...]) -> None:
    """Ask a running gateway: the terminal client."""
    os.environ["GATEWAY_PROGRAM"] = f"{PROGRAM} chat"
    command: list[Any] = [sys.executable, "-m", "gateway.terminal", *arguments]
    os.execv(sys.executable, command)  # noqa: S606


if __name__ == "__main__":
    main(prog_name=PROGRAM)
