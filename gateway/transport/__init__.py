"""Bytes from upstreams: the only room that imports requests and urllib3."""
