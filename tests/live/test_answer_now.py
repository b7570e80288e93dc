"""The thinking of running streams is ended by whatever worker gets the request."""

import threading
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.core.continuation import closing_sentence
from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, chunked, frame
from tests.live.wire import ask, parse_stream, request_body
from tests.programs import DRIVERS, start_gateway

THOUGHT = [" I", " count", ".", " Two", " and", " two"]
ANSWER = ["It", " is", " four", "."]
CALLS = 12


def answer_now(url: str, id: str) -> int:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request("POST", f"/v1/streams/{id}/answer", headers={"Connection": "close"})
        return connection.getresponse().status
    finally:
        connection.close()


def settings(tmp_path: Path, url: str, kind: str) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(f'[[upstreams]]\nname = "a"\nurl = "{url}"\nkind = "{kind}"\n')
    return path


@pytest.mark.parametrize("driver", DRIVERS)
def test_any_worker_ends_the_thinking_while_nothing_arrives(tmp_path: Path, driver: str) -> None:
    never = threading.Event()
    thinks = chunked([frame({"reasoning_content": text}) for text in THOUGHT], end=False)
    answers = chunked([*[frame({"content": text}) for text in ANSWER], FINISH, DONE])
    options = {"format": "events", "reasoning": "raw"}
    with Upstream() as upstream:
        config = settings(tmp_path, upstream.url, "vllm")
        first = (CHUNKED, *thinks, never)
        second = (CHUNKED, *answers)
        with start_gateway(
            upstream.url, gateway_config=config, relay_driver=driver, web_concurrency=3
        ) as gateway:
            for call in range(CALLS):
                model = f"m{call}"
                upstream.set_scripts(model, first, second)
                with ask(gateway.url, request_body(model, gateway=options)) as stream:
                    said = ""
                    for event in stream:
                        if event.event == "reasoning_delta":
                            said += event.json["text"]
                        if said == "".join(THOUGHT):
                            assert answer_now(gateway.url, stream.headers["X-Stream-Id"]) == 202
                            said = ""
                    result = parse_stream("events", stream.frames, "raw")
                assert result.trace == "".join(THOUGHT) + closing_sentence(model)
                assert result.answer == "".join(ANSWER)
            assert answer_now(gateway.url, stream.headers["X-Stream-Id"]) == 404
