"""`python -m gateway.terminal` runs the client, as `python client.py` does.

GATEWAY_PROGRAM: the name in its usage.
"""

import os

from gateway.terminal.cli import main

main(prog_name=os.environ.get("GATEWAY_PROGRAM", "python -m gateway.terminal"))
