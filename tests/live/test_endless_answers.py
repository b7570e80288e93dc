"""An answer without end fails at MAX_ANSWER_BYTES, with both drivers, and costs little memory."""

import json

import pytest

from tests.live.upstream import CHUNKED, Upstream, chunked, say
from tests.live.wire import ask, parse_stream, request_body
from tests.programs import DRIVERS, resident_mb, start_gateway, workers_of

LIMIT = 2_000_000
TEXTS = say(*["<think>" + "endless " * 1000, *["endless " * 1000] * 1500])
"""12 MB."""


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_answer_without_end_fails(driver: str) -> None:
    with (
        Upstream() as upstream,
        start_gateway(upstream.url, max_answer_bytes=LIMIT, relay_driver=driver) as gateway,
    ):
        upstream.set_script("endless", CHUNKED, *chunked(TEXTS, end=False))
        [worker] = workers_of(gateway)
        before = resident_mb(worker)
        options = {"format": "events", "reasoning": "raw"}
        with ask(gateway.url, request_body("endless", gateway=options)) as stream:
            said = parse_stream("events", stream.read_all(), "raw")
        assert said.error is not None
        assert said.error["code"] == "upstream_answer_too_long"
        # The limit counts the marker before the trace as well.
        assert LIMIT < len("<think>" + said.trace) < LIMIT + 200_000
        assert resident_mb(worker) - before < 40


def test_an_answer_without_end_that_is_not_streamed_fails() -> None:
    with (
        Upstream() as upstream,
        start_gateway(upstream.url, max_answer_bytes=LIMIT) as gateway,
    ):
        upstream.set_script("endless", CHUNKED, *chunked(TEXTS, end=False))
        [worker] = workers_of(gateway)
        before = resident_mb(worker)
        with ask(gateway.url, request_body("endless", stream=False)) as stream:
            error = json.loads(stream.response.read())["error"]
        assert (stream.status, error["code"]) == (502, "upstream_answer_too_long")
        assert resident_mb(worker) - before < 40
