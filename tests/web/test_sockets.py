"""The state of clients' sockets, as the kernel reports it."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from gateway.server.sockets import close_connection, hung_up, set_user_timeout, unsent_bytes
from tests.machine import PATIENCE_S

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pairs() -> Iterator[list[Pair]]:
    """Connections: the gateway's end and the client's."""
    with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as listener:
        made = []
        for _ in range(4):
            client = stack.enter_context(socket.create_connection(listener.getsockname()))
            made.append((stack.enter_context(listener.accept()[0]), client))
        yield made


def test_clients_that_closed_or_half_closed_have_hung_up(pairs: list[Pair]) -> None:
    (closed, client), (half_closed, sender), (stays, reader), (ours, _) = pairs
    client.close()
    sender.shutdown(socket.SHUT_WR)
    reader.sendall(b"a request that was not read yet")
    ours.close()
    assert hung_up([closed, half_closed, stays, ours]) == {closed, half_closed}


def test_unsent_bytes_are_those_that_the_client_has_not_taken(pairs: list[Pair]) -> None:
    ours, client = pairs[0]
    assert unsent_bytes(ours) == 0
    ours.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            ours.send(b"x" * 65536)
    assert unsent_bytes(ours) > 0
    ours.close()
    assert unsent_bytes(ours) == 0
    client.close()


def test_a_closed_connection_ends_for_the_client(pairs: list[Pair]) -> None:
    ours, client = pairs[0]
    close_connection(ours)
    client.settimeout(PATIENCE_S)
    assert client.recv(1) == b""
    close_connection(ours)  # again, which is no error


def test_the_user_timeout_is_set_in_milliseconds_and_on_tcp_only(pairs: list[Pair]) -> None:
    ours, _ = pairs[0]
    set_user_timeout(ours, 2.5)
    assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2500
    with socket.socket(socket.AF_UNIX) as unix:
        set_user_timeout(unix, 2.5)
