"""What agents send at the last step of their second turn, made small: it fits a strict server.

The shapes are those of the programs that tests/real/test_agents.py runs.
"""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import responses
from flask.testing import FlaskClient
from requests import PreparedRequest

from gateway.mock.errors import RequestRefused
from gateway.mock.request import ChatRequest
from gateway.mock.strict import check_conversation
from tests.core.scripted import DONE, delta, finish
from tests.web.conftest import COMPLETIONS, sse

FIRST, SECOND = "Look around", "And once more"
SUMMARY = "A command shows what is there."
ANSWER = "Done after 1 command."
ENVIRONMENT = "<environment_context>\n  <cwd>/work</cwd>\n</environment_context>"
REMINDER = "<system-reminder>\nThe list of todos is empty.\n</system-reminder>"
AIDER_TAG = "thinking-content-7bbeb8e1441453ad999a0bbba8a46d4b"
TOOL = {"type": "function", "function": {"name": "shell", "parameters": {"type": "object"}}}
Request = tuple[str, dict[str, Any]]


def shown(prompt: str) -> str:
    """The reasoning of a turn's first step, as a client of chat completions was shown it."""
    return f"{prompt}\n\n{SUMMARY}\n\n"


def chat(field: str, content: str | None, arguments: str, wrap: Callable[[str], Any]) -> Request:
    """The request of a client that hands reasoning back in this field."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": "You have a shell."}]
    for at, prompt in enumerate((FIRST, SECOND)):
        call = {"id": f"c{at}", "type": "function"}
        call["function"] = {"name": "shell", "arguments": arguments}
        line = shown(wrap(prompt) if isinstance(wrap(prompt), str) else prompt)
        messages += [
            {"role": "user", "content": wrap(prompt)},
            {"role": "assistant", "content": content, field: line, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{at}", "content": "step 1\n"},
            {"role": "assistant", "content": ANSWER, field: f"{SUMMARY}\n\n"},
        ]
    del messages[-1]
    return "/openai/v1/chat/completions", {"messages": messages, "tools": [TOOL]}


def opencode() -> Request:
    return chat("reasoning_content", "", '{"command":"echo step 1"}', lambda text: f'"{text}"')


def qwen_code() -> Request:
    def wrap(text: str) -> Any:
        return [{"type": "text", "text": REMINDER}, {"type": "text", "text": text}]

    return chat("reasoning_content", "", '{"command":"echo step 1"}', wrap)


def cline() -> Request:
    return chat("reasoning_content", None, '{"commands":["echo step 1"]}', lambda text: text)


def pydantic_ai() -> Request:
    return chat("reasoning", None, '{"command":"echo step 1"}', lambda text: text)


def aider() -> Request:
    """It offers no tools, and keeps what it was shown within the answer."""
    told = f"\n<{AIDER_TAG}>\n\n{shown(FIRST)}\n</{AIDER_TAG}>\n\n{ANSWER}"
    rules = "To suggest changes to a file you MUST return the entire content of the updated file."
    return "/openai/v1/chat/completions", {
        "temperature": 0,
        "messages": [
            {"role": "system", "content": "Act as an expert software developer."},
            {"role": "user", "content": f"{FIRST}  \n"},
            {"role": "assistant", "content": told},
            {"role": "user", "content": "I am not sharing any files that you can edit yet."},
            {"role": "assistant", "content": "Ok."},
            {"role": "user", "content": f"{SECOND}\n\n{rules}\nCreate a new file you MUST …"},
        ],
    }


def items(before: list[dict[str, Any]], type: dict[str, str]) -> list[dict[str, Any]]:
    """The items of two turns; type: what the client's messages have beside role and content."""
    found = before
    for at, prompt in enumerate((FIRST, SECOND)):
        parts = [{"type": "summary_text", "text": f"{text}\n\n"} for text in (prompt, SUMMARY)]
        sealed = {"content": None, "encrypted_content": "gw2.of-another-key"}
        reasoning = {"type": "reasoning", "id": f"rs_{at}", **sealed}
        call = {"type": "function_call", "id": f"fc_{at}", "call_id": f"c{at}", "name": "shell"}
        text = {"type": "output_text", "text": ANSWER, "annotations": [], "logprobs": []}
        found += [
            {**type, "role": "user", "content": [{"type": "input_text", "text": prompt}]},
            {**reasoning, "summary": parts},
            {**call, "arguments": '{"command": "echo step 1"}', "status": "completed"},
            {"type": "function_call_output", "call_id": f"c{at}", "output": "step 1\n"},
            {**reasoning, "summary": parts[1:]},
            {"type": "message", "id": f"msg_{at}", "role": "assistant", "content": [text]},
        ]
    return found[:-2]


def codex() -> Request:
    def message(role: str, text: str) -> dict[str, Any]:
        return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}

    before = [
        message("developer", "You are a coding agent running in the Codex CLI."),
        message("developer", "<skills_instructions>\n## Skills\n</skills_instructions>"),
        message("user", ENVIRONMENT),
    ]
    function = {"type": "function", "name": "shell", "parameters": {"type": "object"}}
    return "/v1/responses", {
        "input": items(before, {"type": "message"}),
        "tools": [
            function,
            {"type": "namespace", "name": "multi_agent_v1", "tools": [function]},
            {"type": "web_search", "external_web_access": False},
        ],
        "reasoning": {"summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "client_metadata": {"session_id": "1"},
    }


def openai_agents() -> Request:
    return "/v1/responses", {
        "instructions": "You have a shell.",
        "input": items([], {}),
        "tools": [{"type": "function", "name": "shell", "parameters": {"type": "object"}}],
        "reasoning": {"summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "store": False,
    }


def claude_code() -> Request:
    messages: list[dict[str, Any]] = []
    for at, prompt in enumerate((FIRST, SECOND)):
        thoughts = [(f"{prompt}\n\n", "bXNnLjA="), (f"{SUMMARY}\n\n", ""), ("", "gw2.AAAA")]
        thinking = [{"type": "thinking", "thinking": t, "signature": s} for t, s in thoughts]
        use = {"type": "tool_use", "id": f"c{at}", "name": "Bash", "input": {"command": "echo"}}
        result = {"tool_use_id": f"c{at}", "type": "tool_result", "content": "step 1"}
        text = [{"type": "text", "text": REMINDER}, {"type": "text", "text": prompt}]
        messages += [
            {"role": "user", "content": text},
            {"role": "system", "content": "# Environment\nToday's date is 2026-11-27."},
            {"role": "assistant", "content": [*thinking, use]},
            {"role": "user", "content": [{**result, "is_error": False}]},
            {"role": "assistant", "content": [*thinking, {"type": "text", "text": ANSWER}]},
        ]
    return "/v1/messages", {
        "max_tokens": 32000,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cch=1"},
            {"type": "text", "text": "You are a Claude agent."},
        ],
        "messages": messages[:-1],
        "tools": [{"name": "Bash", "input_schema": {"type": "object"}}],
        "thinking": {"type": "adaptive", "display": "updates"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    }


AGENTS = (codex, claude_code, opencode, qwen_code, cline, aider, openai_agents, pydantic_ai)


def play_strict(upstream: responses.RequestsMock, *, wants_reasoning: bool) -> None:
    """The upstream refuses what strict servers refuse."""

    def reply(request: PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        asked = msgspec.json.decode(request.body or b"", type=ChatRequest)
        try:
            check_conversation(asked.messages, wants_reasoning)
        except RequestRefused as refused:
            return 400, {}, json.dumps(refused.reply.body()).encode()
        frames = [delta(reasoning_content="I see it."), delta(content="Yes."), finish("stop")]
        return 200, {"Content-Type": "text/event-stream"}, sse(*frames, DONE)

    upstream.add_callback(responses.POST, COMPLETIONS, callback=reply)


@pytest.mark.parametrize("agent", AGENTS)
def test_a_strict_server_takes_the_history(
    client: FlaskClient, upstream: responses.RequestsMock, agent: Callable[[], Request]
) -> None:
    play_strict(upstream, wants_reasoning=False)
    path, body = agent()
    answer = client.post(path, json={"model": "m", "stream": True, **body}, buffered=True)
    assert answer.status_code == 200, answer.text
    assert "I see it." in answer.text
    sent = str(json.loads(upstream.calls[-1].request.body)["messages"])
    assert SUMMARY not in sent
    assert sent.count(ANSWER) == 1
    # The prompt's line is shown where the prompt is new, without what stands around it.
    assert (SECOND in answer.text) == (agent is aider)
    assert "MUST" not in answer.text


@pytest.mark.parametrize("agent", AGENTS)
def test_a_server_that_wants_lost_reasoning_back_takes_the_history(
    client: FlaskClient, upstream: responses.RequestsMock, agent: Callable[[], Request]
) -> None:
    play_strict(upstream, wants_reasoning=True)
    path, body = agent()
    answer = client.post(path, json={"model": "deepseek-v4-pro", **body})
    assert answer.status_code == 200, answer.text
    messages = json.loads(upstream.calls[-1].request.body)["messages"]
    replaced = [m.get("reasoning_content") for m in messages if m["role"] == "assistant"]
    if agent is aider:  # without tools, nothing is wanted back
        assert (len(upstream.calls), replaced) == (1, [None, None])
    else:
        assert (len(upstream.calls), replaced) == (2, [SUMMARY] * 3)
