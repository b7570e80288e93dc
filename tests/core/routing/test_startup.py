"""What the log says at the start of an upstream that does not list its models."""

from typing import Any, cast
from unittest.mock import Mock

import pytest

from gateway.config import UpstreamConfig
from gateway.errors import GatewayError, UpstreamRefused, UpstreamUnreachable
from gateway.routing.client import UpstreamClient
from gateway.routing.startup import StartupCheck


def hint_about(error: GatewayError) -> str:
    """Returns the hint of the line that is logged when the upstream answers with this error."""
    client = Mock(spec=UpstreamClient)
    client.list_models.side_effect = error
    upstream = UpstreamConfig(name="one", url="http://one")
    log = Mock()
    StartupCheck([upstream], {"one": client}, Mock(), log).check(upstream)
    [call] = log.warning.call_args_list
    return cast(dict[str, Any], call.kwargs)["hint"]


def test_only_an_upstream_that_cannot_be_reached_may_have_to_be_started() -> None:
    assert hint_about(UpstreamUnreachable("Connection refused.")).startswith("Start it or set")


@pytest.mark.parametrize("status", [401, 404, 500])
def test_an_upstream_that_answers_is_not_to_be_started(status: int) -> None:
    hint = hint_about(UpstreamRefused(status, "It said no."))
    assert hint == "`reasoning-gateway doctor` says more"
