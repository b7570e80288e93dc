"""The gateway as a client sees it: requests out, reads in. The only module here that sends any."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import requests
import urllib3

from gateway.terminal.stream import Failure, parse, record

CONNECT_TIMEOUT_S = 5.0
READ_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Door:
    """A gateway's address and how to ask there. What it cannot do raises Failure."""

    url: str
    timeout_s: float
    """Seconds without a byte after which to give up."""
    api_key: str | None = None

    @contextmanager
    def stream(self, path: str, body: dict[str, Any]) -> Iterator[Iterator[bytes]]:
        """Asks for a stream; gives the reads of the answer, each as soon as it arrives."""
        with self._answer("POST", path, {**body, "stream": True}) as response:
            kind = response.headers.get("Content-Type", "no content type")
            if not kind.startswith("text/event-stream"):
                raise Failure(f"{response.url} answered with {kind}, not with an event stream")
            yield iter(lambda: response.raw.read1(READ_BYTES, decode_content=True), b"")

    def get(self, path: str) -> dict[str, Any]:
        """The JSON object that stands at a path."""
        with self._answer("GET", path) as response:
            return parse(response.content)

    @contextmanager
    def _answer(self, method: str, path: str, body: Any = None) -> Iterator[requests.Response]:
        """Sends a request. The errors of requests and urllib3 become a Failure here, once."""
        headers = {"Accept-Encoding": "identity"}  # a compressing proxy would hold events back
        if self.api_key:
            key = self.api_key.strip().encode("utf-8", "surrogateescape")
            headers["Authorization"] = f"Bearer {key.decode('latin-1')}"  # sent as it was typed
        timeout = (CONNECT_TIMEOUT_S, self.timeout_s)
        try:
            with requests.request(
                method, self.url + path, json=body, headers=headers, stream=True, timeout=timeout
            ) as response:
                if not response.ok:
                    raise Failure(f"{self.url} answered {refusal(response)}")
                yield response
        except (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError):
            silence = f"nothing came from {self.url} for {self.timeout_s:g} s"
            raise Failure(f"{silence} (--timeout sets how long to wait)") from None
        except requests.ConnectionError as fault:
            if any(isinstance(cause, urllib3.exceptions.ProtocolError) for cause in fault.args):
                raise Failure(f"{self.url} closed the connection without an answer") from None
            hint = "start one with `make run`, or name another with --url"
            raise Failure(f"no gateway can be reached at {self.url}: {hint}") from None
        except urllib3.exceptions.HTTPError:
            raise Failure("the connection broke before the answer was whole") from None
        except requests.RequestException as fault:
            raise Failure(f"no request can be sent to {self.url}: {fault}") from None


def refusal(response: requests.Response) -> str:
    """The status of an HTTP error and the server's message."""
    message = ""
    with suppress(Failure):
        error = parse(response.content.strip().removeprefix(b"data:")).get("error")
        message = str(record(error).get("message") or error or "")
    hint = " (--api-key gives one)" if response.status_code == 401 else ""
    return f"{response.status_code}: {message or response.reason}{hint}"
