"""The command-line client of the gateway, started by `client.py`.

A response takes this path: bytes (:mod:`.gateway_client`), messages (:mod:`.sse`), events
(:mod:`.chat`, :mod:`.responses` or :mod:`.messages`, chosen in :mod:`.formats`), then an output:
lines for programs (:mod:`.output`), text under headings (:mod:`.sections`) or a live screen
(:mod:`.screen`). :mod:`.turn_runner` connects them, :mod:`.cli` parses the command line.

The client uses the public API only: it imports nothing else of the gateway.
"""
