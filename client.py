#!/usr/bin/env python3
"""The command-line client of the gateway; `--help` or docs/client.md has its options."""

from gateway.terminal.cli import PROGRAM, main

if __name__ == "__main__":
    main(prog_name=PROGRAM)
