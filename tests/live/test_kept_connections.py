"""A connection that an upstream has given up after its last answer costs no turn."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.live.upstream import CHUNKED, DONE, FINISH, chunked, read_request, say
from tests.live.wire import ask, request_body, told
from tests.programs import start_gateway

ANSWER = b"".join([CHUNKED, *chunked([*say("Hello"), FINISH, DONE])])


@contextmanager
def forgetful(answers_anew: bool) -> Iterator[str]:
    """An upstream that answers once a connection, keeps it, and hangs up on the next request.

    answers_anew: false: once it has hung up, it hangs up on new connections as well.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    hung_up = threading.Event()

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if read_request(connection) and (answers_anew or not hung_up.is_set()):
                connection.sendall(ANSWER)
                if read_request(connection):
                    hung_up.set()

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.mark.parametrize("driver", ["auto", "plain"])
def test_a_request_on_a_connection_that_was_given_up_goes_over_a_new_one(driver: str) -> None:
    with forgetful(answers_anew=True) as url, start_gateway(url, relay_driver=driver) as gateway:
        for _ in range(4):
            with ask(gateway.url, request_body("any", gateway={"format": "events"})) as stream:
                said = told("events", stream.whole())
            assert (said.error, said.answer) == (None, "Hello")


def test_an_upstream_that_only_hangs_up_is_told_as_that() -> None:
    with forgetful(answers_anew=False) as url, start_gateway(url) as gateway:
        errors = []
        for _ in range(3):
            with ask(gateway.url, request_body("any", gateway={"format": "events"})) as stream:
                errors.append(told("events", stream.whole()).error)
        assert errors[0] is None
        assert [error and error["code"] for error in errors[1:]] == ["upstream_unreachable"] * 2
