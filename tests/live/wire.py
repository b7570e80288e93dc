"""A client that keeps to the contract by the letter, and notes when each frame arrived.

It is a second opinion: nothing of the gateway's own code is used to read the gateway's bytes.
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

from tests.programs import Program

FORMATS = ("phased", "events", "openai", "plain")
PATIENCE_S = 15
KINDS = ("prompt_summary", "reasoning", "reasoning_summary", "final_output", "end")


class Frame(NamedTuple):
    """One event or comment of a stream, and when it arrived, in seconds since the request."""

    event: str
    data: str
    at_s: float

    @property
    def json(self) -> Any:
        return json.loads(self.data)


class Stream:
    """An answer that is being read."""

    def __init__(self, connection: http.client.HTTPConnection, began: float) -> None:
        self.connection = connection
        self.began = began
        self.response = connection.getresponse()
        self.status = self.response.status
        self.headers = self.response.headers
        self.frames: list[Frame] = []
        self.reads = 0

    def __iter__(self) -> Iterator[Frame]:
        """The frames as they arrive; what does not follow the contract is an AssertionError."""
        rest = b""
        while data := self.response.read1(1 << 20):
            self.reads += 1
            at_s = time.monotonic() - self.began
            *blocks, rest = (rest + data).split(b"\n\n")
            for block in blocks:
                self.frames.append(parse(block, at_s))
                yield self.frames[-1]
        assert rest == b"", f"the stream ends in half a frame: {rest[-200:]!r}"

    def until(self, wanted: Callable[[Frame], Any]) -> Frame:
        """Reads on to the first frame for which `wanted` is true."""
        for frame in self:
            if wanted(frame):
                return frame
        raise AssertionError(f"the stream ended before: {self.frames}")

    def whole(self) -> list[Frame]:
        """All frames, read to the end."""
        for _ in self:
            pass
        return self.frames


def parse(block: bytes, at_s: float) -> Frame:
    assert b"\r" not in block
    event, data = "", []
    for line in block.decode("ascii").split("\n"):  # everything beyond ASCII is escaped
        name, colon, value = line.partition(": ")
        assert colon, f"not a field: {line!r}"
        assert name in ("", "id", "event", "data"), f"not a field: {line!r}"
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "":
            return Frame(":", value, at_s)
    assert len(data) == 1, f"one data line an event: {block!r}"
    return Frame(event, data[0], at_s)


def request_body(
    model: str | None = None, prompt: str = "hi", stream: bool = True, **more: Any
) -> dict[str, Any]:
    """A request with one message; `more` is further members, `gateway` and `mock` for instance."""
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
    """Sends a request; gives its answer, unread, and closes the connection."""
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
class Told:
    """What a stream said, whatever its format."""

    kinds: list[str] = field(default_factory=list)
    """What came, in its order, each kind once a run."""
    prompt_summary: str = ""
    summary: str = ""
    live: str = ""
    trace: str = ""
    answer: str = ""
    tools: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Name and arguments of each tool call."""
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    ends: int = 0

    def add(self, kind: str, name: str, text: str) -> None:
        setattr(self, name, getattr(self, name) + text)
        self.came(kind)

    def came(self, kind: str) -> None:
        if self.kinds[-1:] != [kind]:
            self.kinds.append(kind)

    def tool(self, call: dict[str, Any]) -> None:
        function = call.get("function", call)
        name, arguments = self.tools.get(call["index"], ("", ""))
        name += function.get("name") or ""
        self.tools[call["index"]] = (name, arguments + (function.get("arguments") or ""))
        self.came("final_output")

    def ended(self, finish_reason: str | None, error: dict[str, Any] | None) -> None:
        self.finish_reason, self.error = finish_reason, error
        self.ends += 1
        self.came("end")


def told(format: str, frames: list[Frame], reasoning: str = "summary") -> Told:
    """Reads a whole stream and checks its order: phases only forward, one end, and it is last."""
    said = Told()
    heard = [frame for frame in frames if frame.event not in (":", "heartbeat")]
    if format == "events":
        for frame in heard:
            _named_event(said, frame)
    else:
        if said_done := bool(heard) and heard[-1].data == "[DONE]":
            heard.pop()
        for frame in heard:
            _chunk(said, format, reasoning, frame)
        if format == "plain":
            assert said_done != bool(said.error)
            if said_done:
                said.ended(None, None)
        else:
            assert said_done
    places = [KINDS.index(kind) for kind in said.kinds]
    if reasoning not in ("raw", "both"):  # the trace and the live lines of `both` interleave
        assert places == sorted(places), said.kinds
    assert said.ends == 1, frames[-3:]
    assert said.kinds[-1] == "end"
    return said


def _named_event(said: Told, frame: Frame) -> None:
    data = frame.json
    match frame.event:
        case "prompt_summary":
            assert data["ttft_ms"] >= 0
            said.add("prompt_summary", "prompt_summary", data["text"])
        case "reasoning_delta":
            said.add("reasoning", "trace", data["text"])
        case "reasoning_summary_delta":
            assert not said.summary
            said.add("reasoning_summary", "live", data["text"])
        case "reasoning_summary":
            assert not said.summary
            said.add("reasoning_summary", "summary", data["text"])
        case "final_output_delta":
            said.add("final_output", "answer", data["text"])
        case "tool_call_delta":
            said.tool(data)
        case "done":
            said.usage = data["usage"]
            assert data["timings"]["total_ms"] >= 0
            said.ended(data["finish_reason"], None)
        case "failed":
            said.ended(None, data["error"])
        case other:
            raise AssertionError(f"not an event of the contract: {other}")


def _chunk(said: Told, format: str, reasoning: str, frame: Frame) -> None:
    assert frame.event in (("", "phase") if format == "phased" else ("",))
    chunk = frame.json
    if error := chunk.get("error"):
        plain = format == "plain"
        said.ended(None, {"message": error, "code": chunk["code"]} if plain else error)
        return
    if chunk.get("usage"):
        assert chunk["choices"] == []
        said.usage = chunk["usage"]
        return
    choice, phase = chunk["choices"][0], chunk.get("phase")
    delta = choice["delta"]
    if frame.event == "phase":
        assert delta == {}
        said.came(phase)
        return
    if "reasoning" in delta:
        assert delta["reasoning"] == delta["reasoning_content"] != ""
    if format == "plain":
        said.add("final_output", "answer", delta["content"])
        return
    shown = delta.get("reasoning_content" if format == "openai" else "content") or ""
    match phase:
        case "prompt_summary":
            said.add(phase, "prompt_summary", shown)
        case "reasoning":
            said.add(phase, "trace", delta["reasoning_content"])
        case "reasoning_summary":
            apart = format == "openai" and reasoning == "both"
            said.add(phase, "summary", delta["reasoning_summary"] if apart else shown)
        case "final_output":
            said.add(phase, "answer", delta.get("content") or "")
            said.trace += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls", []):
                said.tool(call)
        case other:
            raise AssertionError(f"not a phase of the contract: {other}")
    if choice["finish_reason"] is not None:
        said.ended(choice["finish_reason"], None)


def until(holds: Callable[[], Any], within_s: float = 5.0) -> Any:
    """Waits for a condition; gives its value. A condition that never holds is a failure."""
    deadline = time.monotonic() + within_s
    while not (value := holds()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)
    return value


def together(check: Callable[[str], None], names: Iterable[str] = FORMATS) -> None:
    """Makes the same check of each of them, all at the same time."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(check, names))


def get(url: str) -> Any:
    """The JSON at this address."""
    return requests.get(url, timeout=5).json()


def turns(gateway: Program) -> list[dict[str, Any]]:
    """The turns in a gateway's log."""
    lines = (line for line in gateway.output().splitlines() if line.startswith("{"))
    return [line for line in map(json.loads, lines) if line["event"] == "turn"]


def turn_of(gateway: Program, request_id: str, within_s: float = 5.0) -> dict[str, Any]:
    """The log's line for a request, once it is there."""

    def find() -> dict[str, Any] | None:
        return next((t for t in turns(gateway) if t["request"] == request_id), None)

    return until(find, within_s)
