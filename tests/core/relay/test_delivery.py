"""The client's half of a turn in progress."""

from threading import Event

from gateway.errors import ClientLeft, ClientStalled
from gateway.observe.metrics import WorkerWrites, WriteStats
from gateway.relay.delivery import Delivery
from gateway.relay.event_queue import EventQueue


def test_the_first_reason_why_the_client_is_gone_counts() -> None:
    """A second look at a connection that has timed out sees only that it is closed."""
    stats = WriteStats(WorkerWrites())
    delivery = Delivery(EventQueue(Event), None, 0.0, stats, lambda: 0.0, lambda _: None)
    delivery.disconnect(ClientStalled())
    delivery.disconnect(ClientLeft())
    assert isinstance(delivery.left, ClientStalled)
