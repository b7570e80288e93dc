"""Clients of every API and format. Each records its view of a turn."""

import json
import random
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any

import gevent

from gateway.core.sse import Decoder

HABITS = {"reads": 74, "leaves": 14, "dawdles": 8, "stalls": 4}
"""What a client does → how many of a hundred do so."""
READ_S = 60.0
"""The gateway has failed if it sends nothing for this long, not even a heartbeat."""
CHAT = "/v1/chat/completions"
FORMATS = ("events", "phased", "openai", "plain")
APIS = (*FORMATS, "whole", "responses", "messages")


@dataclass
class View:
    """What a client has seen of its turn."""

    api: str
    habit: str
    status: int = 0
    reasoning: str = ""
    answer: str = ""
    ends: list[str] = field(default_factory=list)
    """Every end that it saw: done or failed."""
    error: str = ""
    """The failure's message."""
    left: bool = False
    """It closed the connection before it saw the end, or did not read at all."""


def run_turn(address: str, turn: str, rng: random.Random, left_at: dict[str, float]) -> View:
    """Runs one turn of one client. left_at: turn → when its client left early; extended here."""
    view = View(rng.choice(APIS), rng.choices(list(HABITS), weights=list(HABITS.values()))[0])
    connection = HTTPConnection(address, timeout=READ_S)
    patience_s = rng.uniform(0.05, 2) if view.habit == "leaves" else None
    pause_s = rng.uniform(0.005, 0.05) if view.habit == "dawdles" else 0
    try:
        with gevent.Timeout(patience_s, False), suppress(HTTPException):
            connection.connect()
            if view.habit in ("dawdles", "stalls"):
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            response = _ask(connection, turn, view.api)
            if view.habit == "stalls":
                gevent.sleep(rng.uniform(1, 8))
            else:
                _read(response, view, pause_s)
    finally:
        if not view.ends and view.habit in ("leaves", "stalls"):
            view.left = True
            left_at[turn] = time.monotonic()
        connection.close()
    return view


def _ask(connection: HTTPConnection, turn: str, api: str) -> HTTPResponse:
    options: dict[str, Any] = {"reasoning": "raw"}
    body: dict[str, Any] = {"model": "any", "stream": api != "whole"}
    body["gateway"] = options
    messages = [{"role": "user", "content": f"Turn {turn}"}]
    path = CHAT
    match api:
        case "responses":
            path = "/v1/responses"
            body["input"] = messages
        case "messages":
            path = "/v1/messages"
            body |= {"messages": messages, "max_tokens": 100}
        case _:
            body["messages"] = messages
            if api != "whole":
                options["format"] = api
    headers = {"Content-Type": "application/json", "X-Request-Id": turn}
    connection.request("POST", path, json.dumps(body), headers)
    return connection.getresponse()


def _read(response: HTTPResponse, view: View, pause_s: float) -> None:
    view.status = response.status
    if view.status != 200:
        view.ends.append("failed")
        view.error = response.read().decode()
    elif view.api == "whole":
        message = json.loads(response.read())["choices"][0]["message"]
        view.reasoning, view.answer = message["reasoning_content"], message["content"]
        view.ends.append("done")
    else:
        decoder = Decoder()
        for lines in _lines(response, pause_s):
            for message in decoder.feed(lines):
                _see(view, message.event, message.data)


def _lines(response: HTTPResponse, pause_s: float) -> Iterator[list[bytes]]:
    """The lines of each read, without line ends."""
    rest = b""
    while data := response.read1(8192 if pause_s else 65536):
        *lines, rest = (rest + data).split(b"\n")
        yield lines
        gevent.sleep(pause_s)


def _see(view: View, event: str, data: bytes) -> None:
    """One event of a stream."""
    if data == b"[DONE]":
        if view.api == "plain" and not view.ends:
            view.ends.append("done")
        return
    value = json.loads(data)
    if "error" in value and value["error"] is not None and value.get("type") != "response.failed":
        view.ends.append("failed")
        view.error = json.dumps(value["error"])
    elif view.api == "events":
        _see_named(view, event, value)
    elif view.api in FORMATS:
        _see_chunk(view, value)
    elif view.api == "responses":
        _see_response(view, value)
    else:
        _see_message(view, value)


def _see_named(view: View, event: str, value: dict[str, Any]) -> None:
    match event:
        case "reasoning_delta":
            view.reasoning += value["text"]
        case "final_output_delta":
            view.answer += value["text"]
        case "done":
            view.ends.append("done")


def _see_chunk(view: View, value: dict[str, Any]) -> None:
    for choice in value["choices"]:
        delta = choice["delta"]
        if value.get("phase", "final_output") == "final_output":
            view.answer += delta.get("content") or ""
        if value.get("phase") != "prompt_summary":
            view.reasoning += delta.get("reasoning_content") or ""
        if choice.get("finish_reason"):
            view.ends.append("done")


def _see_response(view: View, value: dict[str, Any]) -> None:
    match value["type"]:
        case "response.reasoning_text.delta":
            view.reasoning += value["delta"]
        case "response.output_text.delta":
            view.answer += value["delta"]
        case "response.completed":
            view.ends.append("done")


def _see_message(view: View, value: dict[str, Any]) -> None:
    match value:
        case {"type": "content_block_delta", "index": index, "delta": {"thinking": text}}:
            view.reasoning += text if index else ""
        case {"type": "content_block_delta", "delta": {"text": text}}:
            view.answer += text
        case {"type": "message_stop"}:
            view.ends.append("done")
