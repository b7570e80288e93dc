"""Helpers to run the client against scripted responses of a gateway."""

import json
from typing import Any

import requests
import responses
import urllib3
from click.testing import CliRunner, Result

from gateway.terminal import cli

URL = "http://gateway.test:8080"
CHAT = f"{URL}/v1/chat/completions"
PROMPT = "Please tell me: what is 2+2?"
"""Its summary, in the transcripts, is another."""
PROMPT_ARGS = ["--prompt", PROMPT]
SECTION_ARGS = [*PROMPT_ARGS, "--sections"]


def run_client(*args: str, stdin: str | None = None) -> Result:
    """Runs the client with the gateway at URL."""
    return CliRunner().invoke(cli.main, ["--url", URL, *args], input=stdin)


def serve(gateway: responses.RequestsMock, body: bytes, status: int = 200) -> None:
    """Queues a stream as the response to the next request, whatever its API."""
    for url in (CHAT, f"{URL}/v1/messages", f"{URL}/v1/responses"):
        gateway.post(url, body=body, status=status, content_type="text/event-stream; charset=utf-8")


def sent_body(gateway: responses.RequestsMock, number: int = 0) -> dict[str, Any]:
    """The body of a request that the client sent."""
    body: dict[str, Any] = json.loads(gateway.calls[number].request.body or b"")
    return body


def assert_fails(result: Result, sentence: str) -> None:
    """Checks for status 1 and `sentence` as the only line on stderr."""
    assert result.exit_code == 1
    assert result.stderr == f"Error: {sentence}\n"
    assert "Traceback" not in result.output


def connection_refused() -> requests.ConnectionError:
    """The error that requests raises when nothing listens."""
    cause = urllib3.exceptions.NewConnectionError(None, "refused")  # type: ignore[arg-type]
    return requests.ConnectionError(cause)
