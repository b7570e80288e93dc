"""HTTP requests to the gateway. The only module of the client that uses the network."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

import requests
import urllib3

from gateway.terminal.errors import ClientError
from gateway.terminal.events import as_dict, parse_object

CONNECT_TIMEOUT_S = 5.0
READ_BYTES = 65536


class Stream(NamedTuple):
    """A stream that has begun."""

    id: str
    reads: Iterator[bytes]
    """Each read as it arrives."""


@dataclass(frozen=True, slots=True)
class GatewayClient:
    """Sends requests to one gateway. Every failure is a ClientError."""

    url: str
    timeout_s: float
    """Seconds without a byte after which to give up."""
    api_key: str | None = None

    @contextmanager
    def stream(self, path: str, body: dict[str, Any]) -> Iterator[Stream]:
        """Requests a stream."""
        with self._stream("POST", path, {**body, "stream": True}) as stream:
            yield stream

    @contextmanager
    def resume(self, stream_id: str, format: str) -> Iterator[Stream]:
        """Reads a kept stream from its first event."""
        path = f"/v1/streams/{quote(stream_id, safe='')}?format={format}"
        with self._stream("GET", path) as stream:
            yield stream

    @contextmanager
    def _stream(self, method: str, path: str, body: Any = None) -> Iterator[Stream]:
        with self._request(method, path, body) as response:
            content_type = response.headers.get("Content-Type", "no content type")
            if not content_type.startswith("text/event-stream"):
                raise ClientError(f"{response.url} returned {content_type}, not an event stream")
            reads = iter(lambda: response.raw.read1(READ_BYTES, decode_content=True), b"")
            yield Stream(response.headers.get("X-Stream-Id", ""), reads)

    def answer_now(self, stream_id: str) -> None:
        """Asks the gateway to end the thinking of a stream. Raises ClientError."""
        with self._request("POST", f"/v1/streams/{quote(stream_id, safe='')}/answer"):
            pass

    def get(self, path: str) -> dict[str, Any]:
        """The JSON object at a path."""
        with self._request("GET", path) as response:
            return parse_object(response.content)

    @contextmanager
    def _request(self, method: str, path: str, body: Any = None) -> Iterator[requests.Response]:
        """Sends a request. Turns the errors of requests and urllib3 into ClientError."""
        headers = {"Accept-Encoding": "identity"}  # a proxy that compresses would delay events
        if self.api_key:
            # requests 2.34 sends headers as Latin-1. This keeps the bytes that the user typed.
            key = self.api_key.strip().encode("utf-8", "surrogateescape")
            headers["Authorization"] = f"Bearer {key.decode('latin-1')}"
        timeout = (CONNECT_TIMEOUT_S, self.timeout_s)
        try:
            with requests.request(
                method, self.url + path, json=body, headers=headers, stream=True, timeout=timeout
            ) as response:
                if not response.ok:
                    raise ClientError(f"{self.url} returned {describe_http_error(response)}")
                yield response
        except (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError):
            silence = f"no data from {self.url} for {self.timeout_s:g} s"
            raise ClientError(f"{silence} (--timeout changes the limit)") from None
        except requests.ConnectionError as error:
            if any(isinstance(cause, urllib3.exceptions.ProtocolError) for cause in error.args):
                closed = f"{self.url} closed the connection without a response"
                raise ClientError(closed) from None
            hint = "start one with `reasoning-gateway serve`, or choose another with --url"
            raise ClientError(f"cannot reach a gateway at {self.url}: {hint}") from None
        except urllib3.exceptions.HTTPError:
            raise ClientError("the connection was lost before the answer was complete") from None
        except requests.RequestException as error:
            raise ClientError(f"the request to {self.url} failed: {error}") from None


def describe_http_error(response: requests.Response) -> str:
    """The status of an error response and the server's message."""
    message = ""
    with suppress(ClientError):
        error = parse_object(response.content.strip().removeprefix(b"data:")).get("error")
        message = str(as_dict(error).get("message") or error or "")
    hint = " (pass a key with --api-key)" if response.status_code == 401 else ""
    return f"{response.status_code}: {message or response.reason}{hint}"
