"""Parts of the worker that need no server."""

import errno

import gevent
import pytest

from gateway.errors import RequestTimeout
from gateway.server.worker import HeadTimeout


def test_a_kept_connection_that_the_kernel_has_ended_is_closed_without_a_traceback() -> None:
    """TCP_USER_TIMEOUT: the next read raises ETIMEDOUT. gunicorn takes StopIteration as the end."""
    with pytest.raises(StopIteration), HeadTimeout(10):
        raise OSError(errno.ETIMEDOUT, "Connection timed out")


def test_a_head_that_is_late_is_refused() -> None:
    with pytest.raises(RequestTimeout), HeadTimeout(0):
        gevent.sleep(10)


def test_a_head_in_time_stops_the_clock() -> None:
    with HeadTimeout(0.001):
        pass
    gevent.sleep(0.002)
