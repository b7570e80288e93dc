"""A gateway that turns a reasoning model's stream into phases over Server-Sent Events.

The public names: :class:`Config`, :func:`create_app`, `__version__`.
"""

from typing import TYPE_CHECKING, Any

from gateway.config import Config

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["Config", "__version__", "create_app"]
__version__ = "0.1.0"


def create_app(config: Config, **services: Any) -> "Flask":
    """Builds the application; see :func:`gateway.app.create_app`.

    It is imported here because gunicorn's configuration imports this package before gevent patches
    the standard library, and gevent must be first to modules that open sockets.
    """
    from gateway.app import create_app

    return create_app(config, **services)
