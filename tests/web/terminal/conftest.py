"""A scripted gateway in place of the network."""

from collections.abc import Iterator

import pytest
import responses


@pytest.fixture
def gateway() -> Iterator[responses.RequestsMock]:
    """Tests add responses of the gateway to it; any other request fails."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock
