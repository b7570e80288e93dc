"""Runs gunicorn with the gateway's configuration.

It checks the settings first, because gunicorn 27.0 reads WEB_CONCURRENCY and FORWARDED_ALLOW_IPS
before its configuration file, and answers a bad value with a traceback.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from sysconfig import get_path
from typing import NoReturn

from gateway import server
from gateway.errors import ConfigError
from gateway.loaded import reload_config

_CONFIGURATION = Path(server.__file__).parent / "gunicorn_conf.py"


def gunicorn_command(options: Sequence[str] = ()) -> list[str]:
    """Returns the command that starts the server. options: gunicorn's own."""
    return [sys.executable, "-m", "gunicorn", *_arguments(options)]


def _arguments(options: Sequence[str]) -> list[str]:
    return ["-c", str(_CONFIGURATION), *options, "gateway.wsgi:app"]


def run_gunicorn(options: Sequence[str] = ()) -> NoReturn:
    """Runs the server, and ends with it; if a setting is invalid, ends with one sentence."""
    try:
        reload_config()
    except ConfigError as error:
        sys.exit(f"gateway: {error}")
    if not os.environ.get("WEB_CONCURRENCY"):
        os.environ.pop("WEB_CONCURRENCY", None)
    # Imported here because gunicorn 27.0 reads the environment when it is imported.
    from gunicorn.app.wsgiapp import run

    # On SIGUSR2, gunicorn 27.0 starts sys.argv again. `gunicorn/__main__.py` would not start: run
    # as a script, it imports gunicorn's `http` in place of the standard library's.
    sys.argv = [str(Path(get_path("scripts"), "gunicorn")), *_arguments(options)]
    run(prog="gunicorn")
    sys.exit()
