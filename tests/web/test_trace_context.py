"""`traceparent` and `tracestate` reach the upstream as the client sent them."""

import pytest
import responses
from flask.testing import FlaskClient

from tests.core.scripted import DONE, FINISH, contents
from tests.web.conftest import answers
from tests.web.test_api import MESSAGES

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def sent(upstream: responses.RequestsMock) -> dict[str, str]:
    headers = upstream.calls[-1].request.headers
    return {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}


@pytest.mark.parametrize(
    ("given", "handed_on"),
    [
        ({}, {}),
        ({"traceparent": PARENT}, {"traceparent": PARENT}),
        (
            {"traceparent": PARENT, "tracestate": "a=1,b@c=2"},
            {"traceparent": PARENT, "tracestate": "a=1,b@c=2"},
        ),
        (
            {"traceparent": "01" + PARENT[2:] + "-what-comes"},
            {"traceparent": "01" + PARENT[2:] + "-what-comes"},
        ),
        ({"traceparent": PARENT, "tracestate": "ü=1"}, {"traceparent": PARENT}),
        ({"traceparent": PARENT, "tracestate": "a=" + 9000 * "1"}, {"traceparent": PARENT}),
        ({"tracestate": "a=1"}, {}),
        ({"traceparent": "ff" + PARENT[2:], "tracestate": "a=1"}, {}),
        ({"traceparent": PARENT + "-more"}, {}),
        ({"traceparent": PARENT.upper()}, {}),
        ({"traceparent": f"00-{32 * '0'}-b7ad6b7169203331-01"}, {}),
        ({"traceparent": f"00-0af7651916cd43dd8448eb211c80319c-{16 * '0'}-01"}, {}),
    ],
)
def test_a_trace_is_handed_on_if_it_is_valid(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    given: dict[str, str],
    handed_on: dict[str, str],
) -> None:
    answers(upstream, *contents("Hi!"), FINISH, DONE)
    body = {"messages": MESSAGES, "stream": True}
    response = client.post("/v1/chat/completions", json=body, headers=given, buffered=True)
    assert response.status_code == 200
    assert sent(upstream) == handed_on
