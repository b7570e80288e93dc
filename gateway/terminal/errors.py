"""The one error that ends the client with status 1."""

import click

from gateway.terminal.text import strip_controls


class ClientError(click.ClickException):
    """There is no answer, or it is incomplete. click prints the message and exits with status 1."""

    def __init__(self, message: str) -> None:
        """Reduces the message to one line of at most 500 characters."""
        super().__init__(" ".join(strip_controls(message).split())[:500])
