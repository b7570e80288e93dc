"""A strict client: it checks every frame against the contract and notes when it arrived.

It shares no code with the gateway, so a bug in the gateway's own parsing can't hide.
"""

import http.client
import json
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests

from tests.machine import PATIENCE_S
from tests.programs import Program

FORMATS = ("phased", "events", "openai", "plain")
KINDS = ("prompt_summary", "reasoning", "reasoning_summary", "final_output", "end")


class Frame(NamedTuple):
    """One event or comment of a stream. `at_s`: seconds between the request and its arrival."""

    event: str
    data: str
    at_s: float

    @property
    def json(self) -> Any:
        return json.loads(self.data)


class Stream:
    """A streamed answer."""

    def __init__(self, connection: http.client.HTTPConnection, began: float) -> None:
        self.connection = connection
        self.began = began
        self.response = connection.getresponse()
        self.status = self.response.status
        self.headers = self.response.headers
        self.frames: list[Frame] = []
        self.reads = 0

    def __iter__(self) -> Iterator[Frame]:
        """Yields the frames as they arrive. Asserts that they follow the contract."""
        rest = b""
        while data := self.response.read1(1 << 20):
            self.reads += 1
            at_s = time.monotonic() - self.began
            *blocks, rest = (rest + data).split(b"\n\n")
            for block in blocks:
                self.frames.append(parse_frame(block, at_s))
                yield self.frames[-1]
        assert rest == b"", f"the stream ends inside a frame: {rest[-200:]!r}"

    def read_until(self, wanted: Callable[[Frame], Any]) -> Frame:
        """Reads to the first frame for which `wanted` is true and returns it."""
        for frame in self:
            if wanted(frame):
                return frame
        raise AssertionError(f"the stream ended before: {self.frames}")

    def read_all(self) -> list[Frame]:
        """Reads to the end and returns all frames."""
        for _ in self:
            pass
        return self.frames


def parse_frame(block: bytes, at_s: float) -> Frame:
    assert b"\r" not in block
    event, data = "", []
    for line in block.decode("ascii").split("\n"):  # the gateway escapes all other characters
        name, colon, value = line.partition(": ")
        assert colon, f"not a field: {line!r}"
        assert name in ("", "id", "event", "data"), f"not a field: {line!r}"
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "":
            return Frame(":", value, at_s)
    assert len(data) == 1, f"not exactly one data line: {block!r}"
    return Frame(event, data[0], at_s)


def request_body(
    model: str | None = None, prompt: str = "hi", stream: bool = True, **more: Any
) -> dict[str, Any]:
    """A request with one message. more: further members, such as `gateway` and `mock`."""
    named = {} if model is None else {"model": model}
    return {**named, "messages": [{"role": "user", "content": prompt}], "stream": stream, **more}


@contextmanager
def ask(
    url: str,
    body: dict[str, Any],
    *,
    path: str = "/v1/chat/completions",
    request_id: str = "",
    timeout_s: float = PATIENCE_S,
) -> Iterator[Stream]:
    """Sends a request and yields its answer, unread. Closes the connection at the end."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout_s)
    headers = {"Content-Type": "application/json"}
    if request_id:
        headers["X-Request-Id"] = request_id
    began = time.monotonic()
    try:
        connection.request("POST", path, json.dumps(body), headers)
        stream = Stream(connection, began)
        try:
            yield stream
        finally:
            stream.response.close()
    finally:
        connection.close()


@dataclass
class Transcript:
    """The content of a stream, whatever its format."""

    kinds: list[str] = field(default_factory=list)
    """The kinds of content in their order; a run of one kind counts once."""
    prompt_summary: str = ""
    summary: str = ""
    live: str = ""
    trace: str = ""
    answer: str = ""
    tools: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Index of a tool call → its name and arguments."""
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    ends: int = 0

    def add(self, kind: str, name: str, text: str) -> None:
        setattr(self, name, getattr(self, name) + text)
        self.saw(kind)

    def saw(self, kind: str) -> None:
        if self.kinds[-1:] != [kind]:
            self.kinds.append(kind)

    def add_tool_call(self, call: dict[str, Any]) -> None:
        function = call.get("function", call)
        name, arguments = self.tools.get(call["index"], ("", ""))
        name += function.get("name") or ""
        self.tools[call["index"]] = (name, arguments + (function.get("arguments") or ""))
        self.saw("final_output")

    def end(self, finish_reason: str | None, error: dict[str, Any] | None) -> None:
        self.finish_reason, self.error = finish_reason, error
        self.ends += 1
        self.saw("end")


def parse_stream(format: str, frames: list[Frame], reasoning: str = "summary") -> Transcript:
    """Parses a whole stream. Checks that phases only advance and that the one end comes last."""
    transcript = Transcript()
    content = [frame for frame in frames if frame.event not in (":", "heartbeat")]
    if format == "events":
        for frame in content:
            _add_event(transcript, frame)
    else:
        if has_done := bool(content) and content[-1].data == "[DONE]":
            content.pop()
        for frame in content:
            _add_chunk(transcript, format, reasoning, frame)
        if format == "plain":
            assert has_done != bool(transcript.error)
            if has_done:
                transcript.end(None, None)
        else:
            assert has_done
    places = [KINDS.index(kind) for kind in transcript.kinds]
    if reasoning not in ("raw", "both"):  # in `both`, trace and live lines alternate
        assert places == sorted(places), transcript.kinds
    assert transcript.ends == 1, frames[-3:]
    assert transcript.kinds[-1] == "end"
    return transcript


def _add_event(transcript: Transcript, frame: Frame) -> None:
    data = frame.json
    match frame.event:
        case "prompt_summary":
            assert data["ttft_ms"] >= 0
            transcript.add("prompt_summary", "prompt_summary", data["text"])
        case "reasoning_delta":
            transcript.add("reasoning", "trace", data["text"])
        case "reasoning_summary_delta":
            assert not transcript.summary
            transcript.add("reasoning_summary", "live", data["text"])
        case "reasoning_summary":
            assert not transcript.summary
            transcript.add("reasoning_summary", "summary", data["text"])
        case "final_output_delta":
            transcript.add("final_output", "answer", data["text"])
        case "tool_call_delta":
            transcript.add_tool_call(data)
        case "done":
            transcript.usage = data["usage"]
            assert data["timings"]["total_ms"] >= 0
            transcript.end(data["finish_reason"], None)
        case "failed":
            transcript.end(None, data["error"])
        case other:
            raise AssertionError(f"not an event of the contract: {other}")


def _add_chunk(transcript: Transcript, format: str, reasoning: str, frame: Frame) -> None:
    assert frame.event in (("", "phase") if format == "phased" else ("",))
    chunk = frame.json
    if error := chunk.get("error"):
        plain = format == "plain"
        transcript.end(None, {"message": error, "code": chunk["code"]} if plain else error)
        return
    if chunk.get("usage"):
        assert chunk["choices"] == []
        transcript.usage = chunk["usage"]
        return
    choice, phase = chunk["choices"][0], chunk.get("phase")
    delta = choice["delta"]
    if frame.event == "phase":
        assert delta == {}
        transcript.saw(phase)
        return
    if "reasoning" in delta:
        assert delta["reasoning"] == delta["reasoning_content"] != ""
    if format == "plain":
        transcript.add("final_output", "answer", delta["content"])
        return
    shown = delta.get("reasoning_content" if format == "openai" else "content") or ""
    match phase:
        case "prompt_summary":
            transcript.add(phase, "prompt_summary", shown)
        case "reasoning":
            # A chunk may have only what the client is to hand back.
            transcript.add(phase, "trace", delta.get("reasoning_content", ""))
        case "reasoning_summary":
            apart = format == "openai" and reasoning == "both"
            transcript.add(phase, "summary", delta.get("reasoning_summary", "") if apart else shown)
        case "final_output":
            transcript.add(phase, "answer", delta.get("content") or "")
            transcript.trace += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls", []):
                transcript.add_tool_call(call)
        case other:
            raise AssertionError(f"not a phase of the contract: {other}")
    if choice["finish_reason"] is not None:
        transcript.end(choice["finish_reason"], None)


def wait_until(holds: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    """Polls a condition until it is true and returns its value. Fails after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not (value := holds()):
        assert time.monotonic() < deadline, "the condition did not become true in time"
        time.sleep(0.02)
    return value


def in_parallel(check: Callable[[str], None], names: Iterable[str] = FORMATS) -> None:
    """Runs the check with each name, all at the same time."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(check, names))


def get_json(url: str) -> Any:
    """Returns the JSON at this URL."""
    return requests.get(url, timeout=60).json()


def logged_turns(gateway: Program) -> list[dict[str, Any]]:
    """Returns the log lines of all turns."""
    lines = (line for line in gateway.output().splitlines() if line.startswith("{"))
    return [line for line in map(json.loads, lines) if line["event"] == "turn"]


def logged_turn(gateway: Program, request_id: str, within_s: float = PATIENCE_S) -> dict[str, Any]:
    """Waits for a request's log line and returns it."""

    def find() -> dict[str, Any] | None:
        return next((t for t in logged_turns(gateway) if t["request"] == request_id), None)

    return wait_until(find, within_s)
