"""Becomes gunicorn with the gateway's configuration.

It checks the settings first. gunicorn 27.0 reads WEB_CONCURRENCY and FORWARDED_ALLOW_IPS before its
configuration file, and explains a bad value with a traceback.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from gateway import server
from gateway.errors import ConfigError
from gateway.loaded import reload_config

_CONFIGURATION = Path(server.__file__).parent / "gunicorn_conf.py"


def gunicorn_command(options: Sequence[str] = ()) -> list[str]:
    """Returns the command that starts the server. options: gunicorn's own."""
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", str(_CONFIGURATION)]
    return [*gunicorn, *options, "gateway.wsgi:app"]


def become_gunicorn(options: Sequence[str] = ()) -> NoReturn:
    """Becomes gunicorn, unless a setting is invalid: then ends with one sentence."""
    try:
        reload_config()
    except ConfigError as error:
        sys.exit(f"gateway: {error}")
    if not os.environ.get("WEB_CONCURRENCY"):
        os.environ.pop("WEB_CONCURRENCY", None)
    os.execv(sys.executable, gunicorn_command(options))  # noqa: S606
