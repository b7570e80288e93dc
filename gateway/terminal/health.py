"""`--health`: shows what the gateway reports about itself."""

from collections.abc import Iterator
from typing import Any

import click

from gateway.terminal.errors import ClientError
from gateway.terminal.gateway_client import GatewayClient
from gateway.terminal.output import compact_json
from gateway.terminal.text import strip_controls


def show_health(client: GatewayClient) -> None:
    """Prints the response to GET /health. Raises ClientError unless its status is ok."""
    health = client.get("/health")
    click.echo(strip_controls("\n".join(format_lines(health))))
    if health.get("status") != "ok":
        raise ClientError(f"{client.url} reports status {health.get('status')}")


def format_lines(value: Any, indent: str = "") -> Iterator[str]:
    """A JSON object or array as indented lines of `name: value`."""
    for name, item in value.items() if isinstance(value, dict) else enumerate(value, 1):
        if isinstance(item, dict | list) and item:
            yield f"{indent}{name}:"
            yield from format_lines(item, indent + "  ")
        else:
            yield f"{indent}{name}: {item if isinstance(item, str) else compact_json(item)}"
