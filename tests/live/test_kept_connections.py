"""A kept connection that the upstream has closed costs no request."""

import os
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path

import pytest
import requests
import trustme

from gateway.core.call import Call
from gateway.errors import UpstreamUnreachable
from gateway.transport.client import Transport
from gateway.transport.session import make_session
from tests.live.upstream import CHUNKED, DONE, FINISH, chunked, read_request, say
from tests.live.wire import ask, parse_stream, request_body, wait_until
from tests.programs import start_gateway, workers_of

ANSWER = b"".join([CHUNKED, *chunked([*say("Hello"), FINISH, DONE])])


def _encrypted(connection: socket.socket, tls: ssl.SSLContext | None) -> socket.socket:
    return tls.wrap_socket(connection, server_side=True) if tls else connection


@contextmanager
def forgetful(answers_anew: bool, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """An upstream that answers once per connection and hangs up on the next request.

    answers_anew: False: after that it hangs up on new connections too.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    hung_up = threading.Event()

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection, _encrypted(connection, tls) as stream:
            request = read_request(stream)
            if request and (answers_anew or not hung_up.is_set()):
                stream.sendall(ANSWER)
                # The gateway's look at what server this is asks for the end of its connection.
                if "connection: close" not in request.head.lower() and read_request(stream):
                    hung_up.set()

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize("driver", ["auto", "plain"])
def test_a_request_on_a_closed_connection_is_sent_again_on_a_new_one(driver: str) -> None:
    with forgetful(answers_anew=True) as url, start_gateway(url, relay_driver=driver) as gateway:
        for _ in range(4):
            with ask(gateway.url, request_body("any", gateway={"format": "events"})) as stream:
                said = parse_stream("events", stream.read_all())
            assert (said.error, said.answer) == (None, "Hello")


def test_an_upstream_that_always_hangs_up_is_unreachable() -> None:
    with forgetful(answers_anew=False) as url, start_gateway(url) as gateway:
        errors = []
        for _ in range(5):
            with ask(gateway.url, request_body("any", gateway={"format": "events"})) as stream:
                errors.append(parse_stream("events", stream.read_all()).error)
        # The first request, and at times a second one: the look at what server this is can leave
        # a closed connection on top of the pool, and a request in its place opens a new one.
        answered = list(takewhile(lambda error: error is None, errors))
        assert 1 <= len(answered) <= 2
        failed = errors[len(answered) :]
        assert {error and error["code"] for error in failed} == {"upstream_unreachable"}


def lines(transport: Transport, call: Call) -> list[bytes]:
    """Sends a call and reads the whole answer."""
    with transport.send(call) as reply:
        return [line for batch in reply.batches() for line in batch if line]


def pem(authority: trustme.CA) -> str:
    """Its own certificate."""
    return authority.cert_pem.bytes().decode()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.mark.parametrize("answers_anew", [True, False])
def test_closed_connections_with_tls(
    answers_anew: bool, tls: ssl.SSLContext, authority: trustme.CA
) -> None:
    with forgetful(answers_anew, tls) as url:
        call = Call(f"{url}/v1/chat/completions", {"Content-Type": "application/json"}, b"{}")
        transport = Transport(make_session(2, pem(authority)), 5)
        first = lines(transport, call)
        assert first[-1] == DONE.strip()
        if answers_anew:
            assert lines(transport, call) == first
        else:
            with pytest.raises(UpstreamUnreachable):
                lines(transport, call)


def test_a_server_with_an_untrusted_certificate_gets_no_request(tls: ssl.SSLContext) -> None:
    with forgetful(True, tls) as url, pytest.raises(UpstreamUnreachable):
        lines(Transport(make_session(2), 5), Call(url, {}, b"{}"))


def test_upstream_ca_file_adds_an_authority(
    tls: ssl.SSLContext, authority: trustme.CA, tmp_path: Path
) -> None:
    ca_file = str(tmp_path / "ca.pem")
    authority.cert_pem.write_to_path(ca_file)
    body = request_body("any", gateway={"format": "events"})
    with forgetful(True, tls) as url:
        with start_gateway(url, upstream_ca_file=ca_file) as gateway:
            for _ in range(3):
                with ask(gateway.url, body) as stream:
                    said = parse_stream("events", stream.read_all())
                assert (said.error, said.answer) == (None, "Hello")
            Path(ca_file).unlink()  # a worker that starts later does not look for it again
            [worker] = workers_of(gateway)
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: worker not in (left := workers_of(gateway)) and left)
            with ask(gateway.url, body) as stream:
                assert parse_stream("events", stream.read_all()).answer == "Hello"
        with start_gateway(url) as gateway, ask(gateway.url, body) as stream:
            error = parse_stream("events", stream.read_all()).error
            assert error is not None
            assert error["code"] == "upstream_unreachable"
            assert "UPSTREAM_CA_FILE" in error["message"]


def test_public_authorities_stay_trusted_beside_ones_own(
    tls: ssl.SSLContext, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = str(tmp_path / "common.pem")
    authority.cert_pem.write_to_path(common)
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", common)
    with forgetful(True, tls) as url:
        transport = Transport(make_session(2, pem(trustme.CA())), 5)
        assert lines(transport, Call(url, {}, b"{}"))[-1] == DONE.strip()
