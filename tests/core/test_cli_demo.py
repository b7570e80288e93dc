"""How the demo begins and ends."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.demo import end_on, is_in_use, ready_message, run
from gateway.config import Config


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
def test_a_port_of_an_ipv6_address_is_in_use_only_while_something_listens_there() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        assert is_in_use("::1", port)
    assert not is_in_use("::1", port)


def test_a_host_that_is_none_of_this_machine_is_not_a_port_in_use() -> None:
    """gunicorn explains such a host; another port would not help."""
    assert not is_in_use("192.0.2.1", 8080)
    assert not is_in_use("no-such-host.invalid", 8080)


def test_the_addresses_of_the_demo_have_an_ipv6_address_in_brackets() -> None:
    shown = ready_message("::1", Config(), "http://127.0.0.1:9000")
    assert "The demo page:  http://[::1]:8080/" in shown


@pytest.fixture
def _handlers_as_before() -> Iterator[None]:
    before = {ending: signal.getsignal(ending) for ending in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for ending, handler in before.items():
        signal.signal(ending, handler)


@pytest.mark.usefixtures("_handlers_as_before")
def test_sigterm_ends_the_demo_and_an_ignored_sighup_does_not() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end_on(signal.SIGTERM, signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)


def test_the_demo_does_not_start_beside_the_upstreams_of_a_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """UPSTREAM_URL, by which the gateway finds the mock, counts only without [[upstreams]]."""
    settings = tmp_path / "gateway.toml"
    settings.write_text('[[upstreams]]\nname = "a"\nurl = "http://a.test"\n')
    monkeypatch.setenv("GATEWAY_CONFIG", str(settings))
    assert run(always_mocked=True) == 1
    assert "--demo cannot replace the model servers of [[upstreams]]" in capsys.readouterr().err
