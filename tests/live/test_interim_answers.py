"""Upstreams that send 1xx before their answer, or another 2xx than 200; a gateway on IPv6."""

import socket

import pytest
import requests

from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, chunked, say
from tests.live.wire import ask, parse_stream, request_body
from tests.programs import DRIVERS, boot_gateway, start_gateway

ANSWER = b"".join([CHUNKED, *chunked([*say("Hello"), FINISH, DONE])])
STARTS = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER,
    "102": b"HTTP/1.1 102 Processing\r\n\r\n" * 3 + ANSWER,
    "103": b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nX-A: 1\r\n\r\n" + ANSWER,
    "201": ANSWER.replace(b"200 OK", b"201 Created", 1),
    "202": ANSWER.replace(b"200 OK", b"202 Accepted", 1),
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_interim_answers_and_other_successes_are_no_failures(driver: str) -> None:
    with Upstream() as upstream, start_gateway(upstream.url, relay_driver=driver) as gateway:
        for name, answer in STARTS.items():
            upstream.set_script(name, answer)
            with ask(gateway.url, request_body(name, gateway={"format": "events"})) as stream:
                said = parse_stream("events", stream.read_all())
            assert (said.error, said.answer) == (None, "Hello"), name


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_the_gateway_listens_on_an_ipv6_address(mock_url: str) -> None:
    with boot_gateway(mock_url, host="::1") as gateway:
        assert gateway.url.startswith("http://[::1]:")
        assert requests.get(f"{gateway.url}/health", timeout=60).status_code == 200
