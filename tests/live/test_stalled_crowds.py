"""Clients that do not read are logged as that, whoever notices first: the gateway or the kernel."""

import json
import socket
from collections import Counter
from contextlib import ExitStack

import pytest

from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, chunked, say
from tests.live.wire import request_body, wait_until
from tests.programs import DRIVERS, start_gateway

CLIENTS = 60
ANSWER = [*(400 * say("word " * 5_000)), FINISH, DONE]


def codes(output: str) -> Counter[str]:
    turns = [json.loads(line) for line in output.splitlines() if '"event": "turn"' in line]
    return Counter(turn.get("code", turn["end"]) for turn in turns)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_crowd_of_clients_that_do_not_read_is_logged_as_stalled(driver: str) -> None:
    with (
        Upstream() as upstream,
        start_gateway(upstream.url, stall_timeout_s=1, relay_driver=driver) as gateway,
        ExitStack() as open_clients,
    ):
        upstream.set_script("m", CHUNKED, *chunked(ANSWER))
        body = json.dumps(request_body("m", gateway={"format": "events"})).encode()
        host, port = gateway.url.removeprefix("http://").split(":")
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        for _ in range(CLIENTS):
            client = open_clients.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((host, int(port)))
            client.sendall(head.encode() + body)
        wait_until(lambda: codes(gateway.output()).total() == CLIENTS)
        assert codes(gateway.output()) == {"client_stalled": CLIENTS}
