"""Names are looked up within the time limit, apart from each other; all addresses are tried."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import gevent
import pytest

from gateway.core.call import Call
from gateway.errors import UpstreamError, UpstreamTimeout, UpstreamUnreachable
from gateway.transport import addresses
from gateway.transport.addresses import AddressInfo, Connector, Names
from gateway.transport.client import Transport
from gateway.transport.session import make_session
from tests.machine import within

TCP = socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, ""


class NameServer:
    """Answers in the place of the system's."""

    def __init__(self) -> None:
        self.known: dict[str, list[str]] = {}
        self.lookups: list[str] = []
        self.release = threading.Event()
        """Ends the lookups of names that hang."""
        self.wait = self.release.wait

    def __call__(
        self, host: str, port: int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[AddressInfo]:
        if flags & socket.AI_NUMERICHOST:
            return socket.getaddrinfo(host, port, type=type, flags=flags)
        self.lookups.append(host)
        if host.startswith("hangs"):
            self.wait(60)
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(*TCP, (address, port)) for address in self.known[host]]


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    monkeypatch.setattr(addresses, "_get_addresses", server)
    yield server
    server.release.set()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def late(names: Names, host: str, timeout_s: float) -> None:
    with pytest.raises(TimeoutError):
        names.find(host, 80, timeout_s)


def test_a_name_that_hangs_delays_no_other_name_and_no_other_work(name_server: NameServer) -> None:
    name_server.known["good"] = ["127.0.0.1"]
    names = Names()
    waiting = [gevent.spawn(late, names, "hangs", 1.5) for _ in range(50)]
    gevent.sleep(0.1)
    with within(1):
        names.find("good", 80, 5)
    with within(1):
        gevent.get_hub().threadpool.apply(time.time)
    assert name_server.lookups.count("hangs") == 1
    with within(3):
        gevent.joinall(waiting, raise_error=True)


def test_a_lookup_that_does_not_end_gets_another_beside_it(
    name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "_PATIENCE_S", 0.0)
    names = Names()
    for _ in range(10):
        late(names, "hangs", 0.05)
    assert len(name_server.lookups) == addresses._MAX_LOOKUPS
    name_server.known["hangs"] = ["127.0.0.1"]
    name_server.release.set()
    assert names.find("hangs", 80, 5) == [(*TCP, ("127.0.0.1", 80))]
    assert names.find("hangs", 80, 5) == [(*TCP, ("127.0.0.1", 80))]


def test_numeric_addresses_are_not_looked_up(name_server: NameServer) -> None:
    names = Names()
    assert names.find("127.0.0.1", 80, 5)[0][4] == ("127.0.0.1", 80)
    assert names.find("::1", 80, 5)[0][4][:2] == ("::1", 80)
    assert name_server.lookups == []


def test_all_addresses_are_tried_and_those_that_failed_come_last(
    name_server: NameServer, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    name_server.known["many"] = ["127.0.0.3", "127.0.0.2", "127.0.0.1"]
    connector = Connector()
    with connector.connect("many", port, 5, ()) as client:
        assert client.getpeername() == ("127.0.0.1", port)
    found = connector._names.find("many", port, 5)
    assert sorted(found, key=lambda info: connector._failed_lately(info[4]))[0][4][0] == "127.0.0.1"
    name_server.known["none"] = ["127.0.0.3", "127.0.0.2"]
    with pytest.raises(ConnectionRefusedError):
        connector.connect("none", port, 5, ())


def test_an_address_of_a_family_that_this_machine_lacks_is_skipped(
    name_server: NameServer, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine without IPv6, a socket for the IPv6 address of a name can't even be made."""
    port = listener.getsockname()[1]
    name_server.known["many"] = ["127.0.0.1"]
    [found] = name_server("many", port)
    unknown = (999, *found[1:4], ("::1", port))
    monkeypatch.setattr(Names, "find", lambda *of: [unknown, found])
    with Connector().connect("many", port, 5, ()) as client:
        assert client.getpeername() == ("127.0.0.1", port)
    monkeypatch.setattr(Names, "find", lambda *of: [unknown])
    with pytest.raises(OSError, match="Address family not supported"):
        Connector().connect("many", port, 5, ())


def test_an_address_that_never_answers_leaves_time_for_the_next(
    name_server: NameServer, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    with ExitStack() as stack:
        silent = stack.enter_context(socket.socket())
        silent.bind(("127.0.0.2", port))
        silent.listen(0)
        for _ in range(8):  # a full queue takes no further connection
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.2", port))
        name_server.known["many"] = ["127.0.0.2", "127.0.0.1"]
        connector = Connector()
        with connector.connect("many", port, 1, ()) as client:
            assert client.getpeername() == ("127.0.0.1", port)
            left_s = client.gettimeout()
            assert left_s is not None
            assert left_s <= 0.5  # of the limit, for TLS
        name_server.known["silent"] = ["127.0.0.2"]

        with within(1), pytest.raises(TimeoutError):
            connector.connect("silent", port, 0.3, ())


@pytest.mark.parametrize(
    ("host", "kind", "code"),
    [
        ("hangs", UpstreamTimeout, "upstream_connect_timeout"),
        ("unknown", UpstreamUnreachable, "upstream_unreachable"),
        ("refuses", UpstreamUnreachable, "upstream_unreachable"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_calls_to_a_name_fail_as_connections_do(
    name_server: NameServer, scheme: str, host: str, kind: type[UpstreamError], code: str
) -> None:
    name_server.known["refuses"] = ["127.0.0.1"]
    transport = Transport(make_session(1), 0.3)
    with pytest.raises(kind) as caught:
        transport.send(Call(f"{scheme}://{host}:1/v1", {}))
    assert caught.value.code == code
    assert not caught.value.was_reached
