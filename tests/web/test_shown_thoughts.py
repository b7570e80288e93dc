"""What a client was shown of the model's thoughts, and hands back: traces, and lost thoughts."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient
from requests import PreparedRequest

from gateway.config import UpstreamConfig
from tests.core.scripted import DONE, delta, finish
from tests.web.conftest import COMPLETIONS, UPSTREAM, answers, sse, typed_events

MODEL = "deepseek-v3.2"
TRACE = "I need the time.\n\nI call the tool."
LINE = "What time is it?"
SUMMARY = "I need the time.\n\n"
USER = {"role": "user", "content": LINE}
CALL = {"index": 0, "id": "c1", "function": {"name": "now", "arguments": "{}"}}
CALLED = {"id": "c1", "type": "function", "function": CALL["function"]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "12:00"}
TURN = [delta(reasoning_content=TRACE), delta(tool_calls=[CALL]), finish("tool_calls"), DONE]
THE_END = [delta(content="Noon."), finish("stop"), DONE]
Make = Callable[..., FlaskClient]


def bodies(upstream: responses.RequestsMock) -> list[dict[str, Any]]:
    """The requests that the upstream got."""
    return [json.loads(call.request.body) for call in upstream.calls]


def handed_back(body: dict[str, Any], field: str = "reasoning_content") -> list[str | None]:
    """The reasoning of each assistant message."""
    return [m.get(field) for m in body["messages"] if m["role"] == "assistant"]


def without_memory(make_client: Make, **settings: Any) -> FlaskClient:
    """A gateway that has not seen the turn before."""
    return make_client(seal_key="00" * 32, **settings)


# Traces, as each API shows them and gets them back


def chat_history(client: FlaskClient, format: str, mode: str, stream: bool) -> Any:
    body: dict[str, Any] = {"model": MODEL, "messages": [USER], "gateway": {"reasoning": mode}}
    path = f"/{format}/v1/chat/completions"
    said: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [CALLED]}
    if stream:
        text = client.post(path, json={**body, "stream": True}, buffered=True).text
        data = [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: {")]
        deltas = [chunk["choices"][0]["delta"] for chunk in data if chunk["choices"]]
        said["reasoning_content"] = "".join(d.get("reasoning_content", "") for d in deltas)
        said["content"] = "".join(d.get("content") or "" for d in deltas) or None
    else:
        said |= client.post(path, json=body).get_json()["choices"][0]["message"]
        del said["reasoning_details"]
    return path, {**body, "messages": [USER, said, RESULT]}


def ollama_history(client: FlaskClient, mode: str, stream: bool) -> Any:
    body: dict[str, Any] = {"model": MODEL, "messages": [USER], "gateway": {"reasoning": mode}}
    lines = client.post("/api/chat", json={**body, "stream": stream}, buffered=True).text
    thinking = [json.loads(line)["message"].get("thinking", "") for line in lines.splitlines()]
    call = {"function": {"name": "now", "arguments": {}}}
    said = {"role": "assistant", "content": "", "thinking": "".join(thinking)}
    result = {"role": "tool", "tool_name": "now", "content": "12:00"}
    history = [USER, {**said, "tool_calls": [call]}, result]
    return "/api/chat", {**body, "stream": False, "messages": history}


def messages_history(client: FlaskClient, mode: str) -> Any:
    body: dict[str, Any] = {"model": MODEL, "max_tokens": 9, "gateway": {"reasoning": mode}}
    body["messages"] = [USER]
    content = client.post("/v1/messages", json=body).get_json()["content"]
    blocks = [{**block, "signature": ""} if "signature" in block else block for block in content]
    body["messages"] += [
        {"role": "assistant", "content": blocks},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1"}]},
    ]
    return "/v1/messages", body


def responses_history(client: FlaskClient, mode: str, stream: bool) -> Any:
    body: dict[str, Any] = {"model": MODEL, "input": [USER], "gateway": {"reasoning": mode}}
    answer = client.post("/v1/responses", json={**body, "stream": stream}, buffered=True)
    output = (typed_events(answer)[-1]["response"] if stream else answer.get_json())["output"]
    result = {"type": "function_call_output", "call_id": "c1", "output": "12:00"}
    return "/v1/responses", {**body, "input": [USER, *output, result]}


HISTORIES: dict[str, Callable[[FlaskClient, str], Any]] = {
    "openai": lambda client, mode: chat_history(client, "openai", mode, False),
    "openai, streamed": lambda client, mode: chat_history(client, "openai", mode, True),
    "phased, streamed": lambda client, mode: chat_history(client, "phased", mode, True),
    "ollama": lambda client, mode: ollama_history(client, mode, False),
    "ollama, streamed": lambda client, mode: ollama_history(client, mode, True),
    "messages": messages_history,
    "responses": lambda client, mode: responses_history(client, mode, False),
    "responses, streamed": lambda client, mode: responses_history(client, mode, True),
}


@pytest.mark.parametrize("mode", ["raw", "both"])
@pytest.mark.parametrize("api", HISTORIES)
def test_a_trace_that_was_shown_is_taken_back_without_the_prompts_line(
    make_client: Make, upstream: responses.RequestsMock, api: str, mode: str
) -> None:
    answers(upstream, *TURN)
    path, body = HISTORIES[api](make_client(seal_key="11" * 32), mode)
    assert TRACE in json.dumps(body).replace("\\n", "\n")
    assert without_memory(make_client).post(path, json=body, buffered=True).status_code == 200
    assert handed_back(bodies(upstream)[-1]) == [TRACE]


@pytest.mark.parametrize("api", HISTORIES)
def test_the_prompts_line_is_recognized_before_a_call_that_was_interrupted(
    make_client: Make, upstream: responses.RequestsMock, api: str
) -> None:
    """The gateway adds a result to each call without one, so messages have other numbers then."""
    answers(upstream, *TURN)
    path, body = HISTORIES[api](make_client(seal_key="11" * 32), "raw")
    history = body["input" if "input" in body else "messages"]
    del history[-1]  # the result
    history.append({"role": "user", "content": "And now?"})
    assert without_memory(make_client).post(path, json=body, buffered=True).status_code == 200
    assert handed_back(bodies(upstream)[-1]) == [TRACE]


@pytest.mark.parametrize("api", HISTORIES)
def test_a_summary_is_no_trace(
    make_client: Make, upstream: responses.RequestsMock, api: str
) -> None:
    answers(upstream, *TURN)
    path, body = HISTORIES[api](make_client(seal_key="11" * 32), "summary")
    assert without_memory(make_client).post(path, json=body, buffered=True).status_code == 200
    assert handed_back(bodies(upstream)[-1]) == [None]


def ask(client: FlaskClient, said: dict[str, Any], mode: str, **body: Any) -> Any:
    message = {"role": "assistant", "content": None, "tool_calls": [CALLED], **said}
    body = {"model": MODEL, "messages": [USER, message, RESULT], **body}
    body["gateway"] = {"reasoning": mode}
    return client.post("/openai/v1/chat/completions", json=body)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ({"reasoning": f"{LINE}\n\n{TRACE}"}, TRACE),
        ({"reasoning": TRACE}, TRACE),
        ({"thinking": f" {LINE} \n\n{TRACE}"}, TRACE),
        ({"provider_specific_fields": {"reasoning_content": TRACE}}, TRACE),
        ({"content": f"<think>\n{LINE}\n\n{TRACE}\n</think>\n\nOk."}, TRACE),
        ({"reasoning_content": "Another line\n\nThen this."}, "Another line\n\nThen this."),
        ({"reasoning_content": f"{LINE}\n\n"}, None),
        ({"reasoning_content": ""}, None),
        ({"reasoning_content": [TRACE]}, None),
        ({}, None),
    ],
)
def test_whatever_member_has_the_trace(
    make_client: Make,
    upstream: responses.RequestsMock,
    shown: dict[str, Any],
    expected: str | None,
) -> None:
    answers(upstream, *THE_END)
    assert ask(make_client(), shown, "raw").status_code == 200
    assert handed_back(bodies(upstream)[-1]) == [expected]


@pytest.mark.parametrize(
    ("model", "kind", "setting", "fields"),
    [
        (MODEL, None, "auto", {"reasoning_content"}),
        (MODEL, "vllm", "auto", {"reasoning_content", "reasoning"}),
        (MODEL, "ollama", "auto", {"reasoning"}),
        (MODEL, "openrouter", "auto", {"reasoning"}),
        ("glm-4.7", "sglang", "auto", {"reasoning_content"}),
        ("qwen3-8b", "vllm", "auto", set()),
        ("qwen3-8b", "sglang", "always", {"reasoning_content"}),
        ("gemini-3-pro", None, "auto", set()),
        (MODEL, "vllm", "never", set()),
    ],
)
def test_a_trace_goes_up_where_it_is_wanted_and_as_the_server_spells_it(
    make_client: Make,
    upstream: responses.RequestsMock,
    model: str,
    kind: Any,
    setting: Any,
    fields: set[str],
) -> None:
    answers(upstream, *THE_END)
    server = UpstreamConfig(name="a", url=UPSTREAM, kind=kind, reasoning_back=setting)
    shown = {"reasoning_content": f"{LINE}\n\n{TRACE}"}
    assert ask(make_client(upstreams=(server,)), shown, "raw", model=model).status_code == 200
    [message] = [m for m in bodies(upstream)[-1]["messages"] if m["role"] == "assistant"]
    assert {k: message[k] for k in message.keys() - {"role", "content", "tool_calls"}} == (
        dict.fromkeys(fields, TRACE)
    )


def test_what_the_gateway_remembers_counts_for_more_than_a_trace(
    make_client: Make, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *TURN)
    client = make_client()
    assert client.post("/openai/v1/chat/completions", json={"model": MODEL, "messages": [USER]})
    assert ask(client, {"reasoning_content": "Changed."}, "raw").status_code == 200
    assert handed_back(bodies(upstream)[-1]) == [TRACE]


# Thoughts that are gone


def refuse_lost(upstream: responses.RequestsMock, is_complete: Callable[[Any], bool]) -> None:
    """The upstream refuses a message of the assistant that is not complete."""

    def reply(request: PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        messages = json.loads(request.body or b"")["messages"]
        if all(map(is_complete, [m for m in messages if m["role"] == "assistant"])):
            return 200, {"Content-Type": "text/event-stream"}, sse(*THE_END)
        return 400, {}, b'{"error": {"message": "The reasoning must be passed back."}}'

    upstream.add_callback(responses.POST, COMPLETIONS, callback=reply)


def has_reasoning(message: dict[str, Any]) -> bool:
    return bool(message.get("reasoning_content"))


def test_a_model_that_refuses_to_go_without_gets_the_summary_that_was_handed_back(
    make_client: Make, upstream: responses.RequestsMock, logged: list[dict[str, Any]]
) -> None:
    refuse_lost(upstream, has_reasoning)
    client = make_client()
    shown = {"reasoning_content": f"{LINE}\n\n{SUMMARY}"}
    for attempts in (2, 1):  # the second time, it is known what the model refuses
        upstream.calls.reset()
        assert ask(client, shown, "summary").status_code == 200
        found = [handed_back(body) for body in bodies(upstream)]
        assert found == [[None], [SUMMARY.strip()]][-attempts:]
        [line] = [line for line in logged if line["event"] == "turn"]
        assert (line["thoughts_replaced"], line["attempts"]) == (1, 1)
        logged.clear()
    assert ask(client, {"reasoning_content": TRACE}, "raw").status_code == 200
    assert "thoughts_replaced" not in logged[-1]


def test_without_a_summary_each_message_gets_a_text_of_its_own(
    make_client: Make, upstream: responses.RequestsMock
) -> None:
    refuse_lost(upstream, has_reasoning)
    calls = [
        {**CALLED, "id": f"c{at}", "function": {"name": "run", "arguments": json.dumps({"at": at})}}
        for at in range(2)
    ]
    history = [
        USER,
        {"role": "assistant", "content": "I look.", "tool_calls": [calls[0]]},
        {"role": "tool", "tool_call_id": "c0", "content": "a"},
        {"role": "assistant", "content": None, "tool_calls": [calls[1]]},
        {"role": "tool", "tool_call_id": "c1", "content": "b"},
        {
            "role": "assistant",
            "content": "Noon.",
            "reasoning_content": f"{LINE}\n\nReasoning not detected.",
        },
        {"role": "user", "content": "And now?"},
    ]
    body = {"model": MODEL, "messages": history}
    assert make_client().post("/openai/v1/chat/completions", json=body).status_code == 200
    assert handed_back(bodies(upstream)[-1]) == [
        'I say: I look. I call run with {"at": 0}.',
        'I call run with {"at": 1}.',
        "I say: Noon.",
    ]


@pytest.mark.parametrize(
    ("model", "setting", "attempts"),
    [(MODEL, "auto", 2), ("qwen3-8b", "auto", 1), ("qwen3-8b", "always", 2), (MODEL, "never", 1)],
)
def test_nothing_takes_the_place_of_thoughts_that_a_model_does_not_want(
    make_client: Make,
    upstream: responses.RequestsMock,
    model: str,
    setting: Any,
    attempts: int,
) -> None:
    refuse_lost(upstream, lambda _: False)
    server = UpstreamConfig(name="a", url=UPSTREAM, reasoning_back=setting)
    client = make_client(upstreams=(server,))
    for _ in range(2):  # what did not help is not remembered
        upstream.calls.reset()
        assert ask(client, {}, "summary", model=model).status_code == 400
        assert len(upstream.calls) == attempts


def test_a_model_that_goes_without_gets_nothing_in_the_place_of_thoughts(
    make_client: Make, upstream: responses.RequestsMock, logged: list[dict[str, Any]]
) -> None:
    answers(upstream, *THE_END)
    assert ask(make_client(), {"reasoning_content": SUMMARY}, "summary").status_code == 200
    assert [handed_back(body) for body in bodies(upstream)] == [[None]]
    assert "thoughts_replaced" not in logged[-1]


def test_gemini_gets_the_documented_signature_at_the_first_call_of_a_step(
    make_client: Make, upstream: responses.RequestsMock
) -> None:
    refuse_lost(upstream, lambda message: "extra_content" in message["tool_calls"][0])
    second = {**CALLED, "id": "c2"}
    said = {"role": "assistant", "content": None, "tool_calls": [CALLED, second]}
    history = [USER, said, RESULT, {**RESULT, "tool_call_id": "c2"}]
    body = {"model": "gemini-3-pro", "messages": history}
    assert make_client().post("/openai/v1/chat/completions", json=body).status_code == 200
    [message] = [m for m in bodies(upstream)[-1]["messages"] if m["role"] == "assistant"]
    signature = {"google": {"thought_signature": "skip_thought_signature_validator"}}
    assert message["tool_calls"] == [{**CALLED, "extra_content": signature}, second]
