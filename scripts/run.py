"""`make run`: the gateway, with a scripted model server unless the settings name a real one."""

import sys

from gateway.cli.demo import run

if __name__ == "__main__":
    sys.exit(run())
