"""Starts the server: `python -m gateway`, with gunicorn's options if any.

It checks the settings first. gunicorn 27.0 reads WEB_CONCURRENCY and FORWARDED_ALLOW_IPS before its
configuration file, and explains a bad value with a traceback.
"""

import os
import sys

from gateway.errors import ConfigError
from gateway.loaded import reload_config


def main() -> None:
    """Becomes gunicorn, unless a setting is invalid: then ends with one sentence."""
    try:
        reload_config()
    except ConfigError as error:
        sys.exit(f"gateway: {error}")
    if not os.environ.get("WEB_CONCURRENCY"):
        os.environ.pop("WEB_CONCURRENCY", None)
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
    os.execv(sys.executable, [*gunicorn, *sys.argv[1:], "wsgi:app"])  # noqa: S606


if __name__ == "__main__":
    main()
