"""How the demo ends."""

import signal
from collections.abc import Iterator

import pytest

from gateway.cli.demo import end_on


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
