"""`reasoning-gateway check`: checks the settings without starting anything."""

import os
from pathlib import Path

import click

from gateway.config import Config, host_in_url, ignored
from gateway.errors import ConfigError
from gateway.loaded import load_config


def run(file: Path | None) -> int:
    """Prints the main settings, or the mistake in them; returns the exit status.

    file: the settings file; None: the one that GATEWAY_CONFIG names, else gateway.toml.
    """
    if file is not None:
        os.environ["GATEWAY_CONFIG"] = str(file)
    try:
        config = load_config()
    except ConfigError as error:
        click.echo(f"gateway: {error}", err=True)
        return 1
    for sentence in ignored():
        click.echo(f"warning: {sentence}", err=True)
    click.echo(_described(config))
    return 0


def _described(config: Config) -> str:
    upstreams = ", ".join(f"{one.name} ({one.shown_url})" for one in config.effective_upstreams)
    keys = len(config.principals)
    clients = f"{keys} {'key' if keys == 1 else 'keys'}" if keys else "no key is needed"
    return "\n".join(
        (
            "The settings are valid.",
            f"  upstreams  {upstreams}",
            f"  clients    {clients}",
            f"  listens    {host_in_url(config.host)}:{config.port}, {config.workers} workers",
        )
    )
