"""Behind a proxy on the same machine, the gateway may listen on a socket that is a file."""

import json
import socket
from pathlib import Path

from tests.live.wire import request_body
from tests.programs import boot_gateway


def test_a_stream_by_a_unix_socket(mock_url: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    body = json.dumps(request_body("default@tps=0", gateway={"format": "plain"})).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    head += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with (
        boot_gateway(mock_url, "-b", f"unix:{path}"),
        socket.socket(socket.AF_UNIX) as client,
        client.makefile("rb") as answer,
    ):
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(head + body)
        said = answer.read()
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"data: [DONE]" in said
