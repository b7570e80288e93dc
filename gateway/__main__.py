"""Starts the server: `python -m gateway`, with gunicorn's options if any."""

import sys

from gateway.cli.serve import run_gunicorn

if __name__ == "__main__":
    run_gunicorn(sys.argv[1:])
