"""Bytes from upstreams: connections, chunks, lines. Only this room imports requests and urllib3."""
