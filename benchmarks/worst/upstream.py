"""A model server: paced streams for the good clients, the worst answers for the others.

python -m benchmarks.worst.upstream        prints its address
"""

import json
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKENS_A_SECOND = 20
EVENT_BYTES = 4_000_000
"""Below the gateway's limit for an event."""
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def event(**delta: Any) -> bytes:
    """One chunk of an answer."""
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta}]})}\n\n".encode()


def paced() -> Iterator[bytes]:
    """The time, every 50 ms, until the client is gone. All processes of a host have one clock."""
    due = time.monotonic()
    while True:
        due += 1 / TOKENS_A_SECOND
        time.sleep(max(0, due - time.monotonic()))
        yield event(content=f"{time.monotonic():.4f} ")


def answer(model: str) -> Iterator[bytes]:
    """The answer of one of the models."""
    match model:
        case "paced":
            yield from paced()
        case "huge-event":
            yield event(reasoning_content="Think. " * (EVENT_BYTES // 7))
            yield event(content="a" * EVENT_BYTES)
        case "many-calls":
            call = {"function": {"name": "f", "arguments": "{}"}}
            yield event(tool_calls=[{"index": n, "id": str(n), **call} for n in range(900)])
        case "no-sentences":
            for _ in range(30):
                yield event(reasoning_content="thinking " * 14_000)
        case "fast":
            batch = 200 * (event(reasoning_content="I") + event(reasoning_content=" think."))
            for _ in range(300):
                yield batch
        case _:
            yield event(content="Hi!")
    yield END


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """The list of models."""
        self._send(b'{"object":"list","data":[]}')

    def do_POST(self) -> None:
        """An answer."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        # Large bodies ask for a short answer, and reading them would take this server's time.
        model = json.loads(body)["model"] if length < 10_000 else "short"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for data in answer(model):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Prints nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, *_: Any) -> None:
        """The gateway may close a connection at any time."""


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}/v1\n")
    sys.stdout.flush()
    server.serve_forever()
