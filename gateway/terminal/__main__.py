"""`python -m gateway.terminal` runs the client, as `python client.py` does."""

from gateway.terminal.cli import main

main(prog_name="python -m gateway.terminal")
