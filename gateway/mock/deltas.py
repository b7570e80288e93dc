"""Splits a reply into one delta per token. Pure, except for the random ids of tool calls."""

import json
import uuid
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, cycle, groupby, islice, zip_longest
from typing import Any

from gateway.mock.frames import Delta, split_tokens
from gateway.mock.models import Script
from gateway.mock.replies import asked_to_sum_up, reply_to, summary_reply, tool_reply
from gateway.mock.request import ChatRequest, Parameters, Playback, Tool
from gateway.mock.texts import AGENT_ANSWER, AGENT_STEP

_COMMANDS = ("command", "cmd", "commands")


def make_deltas(request: ChatRequest, script: Script, playback: Playback) -> list[Delta]:
    """The whole answer, one token in each delta."""
    command = next(filter(command_of, request.tools or []), None)
    if script.steps and command is not None:
        return agent_deltas(request, script, command)
    last = request.messages[-1]
    calls = script.tool_calls if last.role != "tool" else 0
    if calls:
        reasoning, answer = tool_reply(request.prompt)
    elif script.tool_calls:
        reasoning, answer = "The tool has answered. I can pass it on.", f"It says: {last.text()}"
    elif script.markup and (asked := asked_to_sum_up(request.prompt)):
        reasoning, answer = reply_to("hi").reasoning, summary_reply(asked).answer
    else:
        reasoning, answer = script.reply(request.prompt)
    deltas = list(text_deltas("content", answer, False)) * playback.repeat
    if script.markup:
        before, after, key = script.markup
        deltas[:0] = text_deltas(key, before + reasoning + after, True)
    return deltas + tool_deltas(request.tools, calls)


def agent_deltas(request: ChatRequest, script: Script, tool: Tool) -> list[Delta]:
    """One step of an agent: a command that the tool runs, or the answer."""
    step = request.step
    is_last = step >= script.steps
    reasoning, answer = AGENT_ANSWER if is_last else AGENT_STEP
    deltas = [*text_deltas("content", answer.format(step=step), False)]
    if script.markup:
        before, after, key = script.markup
        text = before + reasoning.format(step=step + 1) + after
        deltas[:0] = text_deltas(key, text, True)
    if is_last:
        return deltas
    pieces = call_pieces(0, tool, f"echo step {step + 1}")
    return deltas + [Delta("tool_calls", [piece]) for piece in pieces]


def command_of(tool: Tool) -> str | None:
    """The tool's argument that holds a shell command or several, by its name."""
    parameters = tool.function.parameters or Parameters()
    return next((name for name in _COMMANDS if name in parameters.properties), None)


@lru_cache(maxsize=64)  # a load test asks for the same text in every stream
def text_deltas(key: str, text: str, reasoning: bool) -> tuple[Delta, ...]:
    return tuple(Delta(key, token, 1, reasoning) for token in split_tokens(text))


def tool_deltas(tools: list[Tool] | None, calls: int) -> list[Delta]:
    """The pieces of `calls` tool calls, interleaved. Too few tools are called more than once."""
    called = list(islice(cycle(tools or [None]), calls))
    pieces = [call_pieces(index, tool) for index, tool in enumerate(called)]
    interleaved = chain.from_iterable(zip_longest(*pieces))
    return [Delta("tool_calls", [piece]) for piece in interleaved if piece]


def call_pieces(index: int, tool: Tool | None, command: str = "") -> list[dict[str, Any]]:
    """A tool call as a stream has it: the id and the name, then the arguments token by token.

    command: for the argument that holds one; then the others are the required ones.
    """
    name = "get_weather"
    arguments: dict[str, Any] = {"location": "Paris", "unit": "celsius"}
    if tool:
        name, parameters = tool.function.name, tool.function.parameters or Parameters()
        arguments = {key: sample(schema) for key, schema in parameters.properties.items()}
        if command and (holder := command_of(tool)):
            arguments = {key: arguments[key] for key in parameters.required if key in arguments}
            words = [command] if holder == "commands" else command.split()
            is_list = parameters.properties[holder].get("type") == "array"
            arguments[holder] = words if is_list else command
    opening = {"name": name, "arguments": ""}
    pieces = [{"id": f"call_{uuid.uuid4().hex}", "type": "function", "function": opening}]
    tokens = split_tokens(json.dumps(arguments))
    pieces += [{"function": {"arguments": token}} for token in tokens]
    return [{"index": index, **piece} for piece in pieces]


def sample(schema: Any) -> Any:
    """A value for one argument: its default, its first enum value, or a value of its type."""
    schema = schema if isinstance(schema, dict) else {}
    values = {"number": 1.5, "integer": 1, "boolean": True, "array": [], "object": {}}
    value = values.get(str(schema.get("type")), "Paris")
    choices = schema.get("enum")
    return schema.get("default", choices[0] if isinstance(choices, list) and choices else value)


def merge(deltas: list[Delta], size: int) -> Iterator[Delta]:
    """Joins up to `size` neighbouring deltas of one kind; tool calls stay as they are."""
    if size == 1:
        yield from deltas
        return
    for (key, reasoning), group in groupby(deltas, lambda delta: (delta.key, delta.reasoning)):
        values = [delta.value for delta in group]
        step = 1 if key == "tool_calls" else size
        for at in range(0, len(values), step):
            part = values[at : at + step]
            yield Delta(key, part[0] if step == 1 else "".join(part), len(part), reasoning)


def whole_message(deltas: list[Delta]) -> dict[str, Any]:
    """The deltas joined to the message of an answer that is not streamed."""
    values: defaultdict[str, list[Any]] = defaultdict(list)
    for delta in deltas:
        values[delta.key].append(delta.value)
    calls: defaultdict[int, list[Any]] = defaultdict(list)
    for pieces in values.pop("tool_calls", []):
        calls[pieces[0]["index"]].append(pieces[0])
    message: dict[str, Any] = {"role": "assistant", "content": None}
    message |= {key: "".join(texts) for key, texts in values.items()}
    if calls:
        message["tool_calls"] = [whole_call(pieces) for pieces in calls.values()]
    return message


def whole_call(pieces: list[Any]) -> dict[str, Any]:
    """The pieces of one tool call joined."""
    arguments = "".join(piece["function"]["arguments"] for piece in pieces)
    return {**pieces[0], "function": {**pieces[0]["function"], "arguments": arguments}}
