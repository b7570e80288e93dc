"""Questions and orders to the kernel about clients' sockets."""

import errno
import fcntl
import select
import socket
import sys
import termios
from collections.abc import Iterable
from contextlib import suppress

import gevent
import gevent.monkey

# gevent 26.9's own poll switches greenlets, even if its timeout is 0.
_poll = gevent.monkey.get_original("select", "poll")
_HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR  # RDHUP: Linux only
_HAS_USER_TIMEOUT = hasattr(socket, "TCP_USER_TIMEOUT")  # Linux only
_READ_BYTES = 64 * 1024


def close_connection(client: socket.socket) -> None:
    """Shuts a client's connection down and wakes the greenlets that wait for it.

    After a shutdown of the plain socket, a waiting send ends as on any closed connection. gevent
    26.9's own `shutdown` would raise another error there, which gunicorn logs.
    """
    with suppress(OSError):  # the connection may be gone
        getattr(client, "_sock", client).shutdown(socket.SHUT_RDWR)


def end_response(client: socket.socket) -> None:
    """Ends the sending side, then reads until the client closes the connection.

    To close a socket with unread data resets the connection, and the client may lose the response.
    The caller sets a time limit. Raises OSError if the client is gone.
    """
    client.shutdown(socket.SHUT_WR)
    while client.recv(_READ_BYTES):
        gevent.sleep(0)  # lets other greenlets run


def hung_up(clients: Iterable[socket.socket]) -> set[socket.socket]:
    """Returns those clients that have closed their connection or their sending side."""
    by_descriptor = {client.fileno(): client for client in clients}
    poller = _poll()
    for descriptor in by_descriptor:
        if descriptor >= 0:  # -1: the socket is closed on this side
            poller.register(descriptor, _HUNG_UP)
    return {by_descriptor[descriptor] for descriptor, _ in poller.poll(0)}


def unsent_bytes(client: socket.socket) -> int:
    """Returns how many bytes the kernel still holds for a client; 0 if that is unknown."""
    try:
        return int.from_bytes(
            fcntl.ioctl(client.fileno(), termios.TIOCOUTQ, b"\0" * 4), sys.byteorder
        )
    except (OSError, ValueError):
        return 0


def has_timed_out(client: socket.socket) -> bool:
    """Whether TCP_USER_TIMEOUT has ended the connection: the client took nothing for that long."""
    if getattr(client, "has_timed_out", False):  # a ResponseSocket whose write has failed
        return True
    with suppress(OSError):  # the connection may be closed
        return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ETIMEDOUT
    return False


def set_user_timeout(client: socket.socket, timeout_s: float) -> None:
    """Sets TCP_USER_TIMEOUT: the kernel closes the connection, and a waiting send raises
    TimeoutError, if the client takes nothing of what was sent for `timeout_s`.

    Does nothing on Unix sockets and on systems without that option.
    """
    if _HAS_USER_TIMEOUT and client.family in (socket.AF_INET, socket.AF_INET6):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * timeout_s))
