"""Fixtures for all tests."""

from collections.abc import Iterator

import hypothesis
import pytest

from tests.programs import start_gateway, start_mock
from tests.properties import EXAMPLES

# The time of one example depends more on the load of the machine than on the code.
hypothesis.settings.register_profile(
    "gateway",
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        # All examples of a test share its page or client, which is the same before each.
        hypothesis.HealthCheck.function_scoped_fixture,
    ],
)
hypothesis.settings.load_profile("gateway")


@pytest.fixture(scope="session")
def mock_url() -> Iterator[str]:
    """The address of a real mock model server."""
    with start_mock() as mock:
        yield mock.url


@pytest.fixture(scope="session")
def gateway_url(mock_url: str) -> Iterator[str]:
    """The address of a real gateway in front of the mock. Its breaker does not open."""
    with start_gateway(mock_url, breaker_failures=10_000) as gateway:
        yield gateway.url
