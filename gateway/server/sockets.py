"""What the gateway asks the kernel about a client's socket."""

import fcntl
import socket
import sys
import termios


def unsent_bytes(client: socket.socket) -> int:
    """The bytes that the kernel still holds for a client; 0 when that can't be told."""
    try:
        return int.from_bytes(
            fcntl.ioctl(client.fileno(), termios.TIOCOUTQ, b"\0" * 4), sys.byteorder
        )
    except (OSError, ValueError):
        return 0
