"""The way out past the server: what a client does not take at once is not lost."""

import socket
import threading
from types import SimpleNamespace

from gateway.outlet import Outlet, outlet


def test_what_does_not_fit_is_sent_when_it_is_flushed() -> None:
    ours, theirs = socket.socketpair()
    patient = ours.dup()
    patient.settimeout(30)
    ours.setblocking(False)
    way_out = Outlet(SimpleNamespace(_sock=ours, sendall=patient.sendall))  # type: ignore[arg-type]
    data = b"0123456789" * 500_000
    with ours, theirs, patient:
        way_out.send(b"first")
        assert not way_out.is_behind
        way_out.send(data)
        assert way_out.is_behind
        read: list[bytes] = []
        reader = threading.Thread(target=lambda: read.extend(iter(lambda: theirs.recv(65536), b"")))
        reader.start()
        way_out.flush()
        assert not way_out.is_behind
        ours.shutdown(socket.SHUT_WR)
        reader.join(30)
    assert b"".join(read) == b"5\r\nfirst\r\n4c4b40\r\n" + data + b"\r\n"


def test_only_a_plain_socket_under_a_chunked_response_has_a_way_out() -> None:
    environ = {"SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_METHOD": "POST"}
    assert outlet(environ) is None
    with socket.socket() as not_of_gevent:
        assert outlet({**environ, "gunicorn.socket": not_of_gevent}) is None
