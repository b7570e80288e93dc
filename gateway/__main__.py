"""Starts the server: `python -m gateway`, with gunicorn's options if any."""

import sys

from gateway.cli.serve import become_gunicorn

if __name__ == "__main__":
    become_gunicorn(sys.argv[1:])
