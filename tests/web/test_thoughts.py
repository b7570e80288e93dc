"""Models that want their own reasoning back get it, from what clients hand back or from memory."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from gateway.apis.seal import Sealer
from gateway.config import UpstreamConfig
from gateway.config.keys import KeyConfig
from gateway.core.thought_log import ThoughtLog
from gateway.core.thoughts import MAX_THOUGHT_CHARS, ThoughtRecord
from tests.core.scripted import DONE, delta, finish
from tests.web.conftest import UPSTREAM, answers, typed_events

MODEL = "deepseek-v3.2"
TRACE = "I need the time. I call the tool."
KEY = "00" * 32
USER = {"role": "user", "content": "What time is it?"}
CALL = {"index": 0, "id": "c1", "function": {"name": "now", "arguments": "{}"}}
TURN = [delta(reasoning_content=TRACE), delta(tool_calls=[CALL]), finish("tool_calls"), DONE]
TOOL_USE = {"type": "tool_use", "id": "c1", "name": "now", "input": {}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1"}]}


def messages(client: FlaskClient, *history: Any, **body: Any) -> Any:
    asked = {"model": MODEL, "max_tokens": 9, "thinking": {"type": "adaptive"}, **body}
    asked["messages"] = [USER, *history]
    return client.post("/v1/messages", json=asked, buffered=True)


def handed_back(upstream: responses.RequestsMock) -> list[str | None]:
    """The reasoning of each assistant message that the upstream got last."""
    body = json.loads(upstream.calls[-1].request.body)
    assistant = [m for m in body["messages"] if m["role"] == "assistant"]
    assert all(
        m.keys() <= {"role", "content", "tool_calls", "reasoning_content"} for m in assistant
    )
    return [message.get("reasoning_content") for message in assistant]


def signature(client: FlaskClient, upstream: responses.RequestsMock) -> str:
    answers(upstream, *TURN)
    content = messages(client).get_json()["content"]
    return str([block for block in content if block["type"] == "thinking"][-1]["signature"])


def thinking(sealed: str, text: str = "A summary.") -> dict[str, Any]:
    block = {"type": "thinking", "thinking": text, "signature": sealed}
    return {"role": "assistant", "content": [block, TOOL_USE]}


def test_a_signature_holds_the_models_reasoning(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    sealed = signature(make_client(seal_key=KEY), upstream)
    assert TRACE not in sealed
    # Another worker, which has no memory of the call.
    assert messages(make_client(seal_key=KEY), thinking(sealed), RESULT).status_code == 200
    assert handed_back(upstream) == [TRACE]


def test_a_signature_is_opened_for_the_name_that_the_client_uses(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    answers(upstream, *TURN)
    tagged = f"{MODEL}:latest"  # served as MODEL
    upstream.get(f"{UPSTREAM}/models", json={"data": [{"id": MODEL}]})
    [*_, block, _] = messages(make_client(seal_key=KEY), model=tagged).get_json()["content"]
    again = thinking(block["signature"])
    assert messages(make_client(seal_key=KEY), again, RESULT, model=tagged).status_code == 200
    assert handed_back(upstream) == [TRACE]


def test_a_streamed_signature_holds_the_models_reasoning(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    answers(upstream, *TURN)
    found = typed_events(messages(make_client(seal_key=KEY), stream=True))
    deltas = [e["delta"] for e in found if e["type"] == "content_block_delta"]
    sealed = [d["signature"] for d in deltas if d["type"] == "signature_delta"][-1]
    assert Sealer([bytes.fromhex(KEY)]).open(MODEL, sealed).readable_text == TRACE


@pytest.mark.parametrize("include", [True, False])
def test_encrypted_content_holds_the_models_reasoning(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock, include: bool
) -> None:
    answers(upstream, *TURN)
    body: dict[str, Any] = {"model": MODEL, "input": [USER], "reasoning": {"summary": "auto"}}
    body["include"] = ["reasoning.encrypted_content"] * include

    def ask(client: FlaskClient, stream: bool) -> Any:
        return client.post("/v1/responses", json={**body, "stream": stream}, buffered=True)

    output = ask(make_client(seal_key=KEY), False).get_json()["output"]
    streamed = typed_events(ask(make_client(seal_key=KEY), True))[-1]["response"]["output"]
    assert [[("encrypted_content" in i) for i in items] for items in (output, streamed)] == [
        [include, False]
    ] * 2
    result = {"type": "function_call_output", "call_id": "c1", "output": "12:00"}
    body["input"] = [USER, *output, result]
    assert ask(make_client(seal_key=KEY), False).status_code == 200
    assert handed_back(upstream) == [TRACE if include else None]


def test_a_seal_that_does_not_open_is_left_out(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    sealed = signature(make_client(seal_key=KEY), upstream)
    for broken in (sealed[:-8] + "AAAAAAA=", sealed[:20], "gw1.é", "bXNnXzEuMQ==", ""):
        client = make_client(seal_key=KEY)
        assert messages(client, thinking(broken), RESULT).status_code == 200
        assert handed_back(upstream) == [None]
    for client, model in (
        (make_client(seal_key="11" * 32), MODEL),
        (make_client(seal_key=KEY), "deepseek-v4"),
    ):
        assert messages(client, thinking(sealed), RESULT, model=model).status_code == 200
        assert handed_back(upstream) == [None]
    rotated = make_client(seal_key="11" * 32 + "," + KEY)
    messages(rotated, thinking(sealed), RESULT)
    assert handed_back(upstream) == [TRACE]


@pytest.mark.parametrize(
    ("model", "setting", "expected"),
    [
        ("org/DeepSeek-V3.2-Exp", "auto", TRACE),
        ("kimi-k2-thinking", "auto", TRACE),
        ("glm-4.7", "auto", TRACE),
        ("minimax-m2", "auto", TRACE),
        ("deepseek-r1", "auto", None),
        ("qwen3-8b", "auto", None),
        ("qwen3-8b", "always", TRACE),
        ("deepseek-v3.2", "never", None),
    ],
)
def test_the_family_and_the_upstream_say_who_wants_its_reasoning_back(
    make_client: Callable[..., FlaskClient],
    upstream: responses.RequestsMock,
    model: str,
    setting: Any,
    expected: str | None,
) -> None:
    answers(upstream, *TURN)
    server = UpstreamConfig(name="a", url=UPSTREAM, reasoning_back=setting)
    client = make_client(upstreams=(server,))
    messages(client, model=model)
    messages(client, {"role": "assistant", "content": [TOOL_USE]}, RESULT, model=model)
    assert handed_back(upstream) == [expected]


def chat(client: FlaskClient, *history: Any, key: str = "a") -> Any:
    body = {"model": MODEL, "messages": [USER, *history]}
    headers = {"Authorization": f"Bearer {key}"}
    return client.post("/openai/v1/chat/completions", json=body, headers=headers, buffered=True)


def test_thoughts_are_remembered_by_the_call_they_led_to_for_an_hour(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    answers(upstream, *TURN)
    now = [100.0]
    keys = (KeyConfig(name="a", key="a"), KeyConfig(name="b", key="b"))
    client = make_client(clock=lambda: now[0], keys=keys)
    message = chat(client).get_json()["choices"][0]["message"]
    history = (
        {"role": "assistant", "tool_calls": message["tool_calls"], "reasoning_content": "Ours."},
        {"role": "tool", "tool_call_id": "c1", "content": "12:00"},
    )
    chat(client, *history)
    assert handed_back(upstream) == [TRACE]
    chat(client, *history, key="b")
    assert handed_back(upstream) == [None], "another client named the same id"
    now[0] += 3601
    chat(client, *history)
    assert handed_back(upstream) == [None]


def test_a_seal_keeps_all_that_it_is_given() -> None:
    sealer = Sealer([b"k" * 32])
    record = ThoughtRecord("a" * MAX_THOUGHT_CHARS + "é\ud800", blocks={"reasoning_details": [{}]})
    assert sealer.open("m", sealer.seal("m", record)) == record
    assert sealer.seal("m", record) != sealer.seal("m", record)


def test_only_the_end_of_long_thoughts_is_kept() -> None:
    log = ThoughtLog(send="always")
    log.add("b" + "a" * MAX_THOUGHT_CHARS)
    record = log.take_unsent()
    assert record is not None
    assert record.text == "a" * MAX_THOUGHT_CHARS
    assert log.take_unsent() is None


SIGNED_CALL = {**CALL, "extra_content": {"google": {"thought_signature": "c2ln"}}}
DETAILS: list[dict[str, Any]] = [
    {"type": "reasoning.text", "text": "I need ", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.text", "text": "it.", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.text", "text": "", "signature": "c2ln", "index": 0},
]
WHOLE = {**DETAILS[0], "text": "I need it.", "signature": "c2ln"}
LATE = {"type": "reasoning.encrypted", "data": "ZW5j", "id": "c1", "index": 1}


def details_turn(*late: Any) -> list[Any]:
    return [
        *(delta(reasoning=block["text"], reasoning_details=[block]) for block in DETAILS),
        delta(tool_calls=[CALL]),
        *(delta(reasoning_details=[block]) for block in late),
        finish("tool_calls"),
        DONE,
    ]


def ask_chat(client: FlaskClient, format: str, stream: bool, *history: Any, model: str) -> Any:
    body = {"model": model, "messages": [USER, *history], "stream": stream}
    return client.post(f"/{format}/v1/chat/completions", json=body, buffered=True)


def chat_message(client: FlaskClient, format: str, stream: bool, model: str) -> dict[str, Any]:
    """The assistant's message as a client of OpenRouter keeps it."""
    answer = ask_chat(client, format, stream, model=model)
    if not stream:
        message: dict[str, Any] = answer.get_json()["choices"][0]["message"]
        return message
    data = [line[6:] for line in answer.text.split("\n") if line.startswith("data: {")]
    deltas = [chunk["choices"][0]["delta"] for chunk in map(json.loads, data) if chunk["choices"]]
    blocks = [block for delta in deltas for block in delta.get("reasoning_details", ())]
    assert [block["index"] for block in blocks] == list(range(len(blocks)))
    message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    return {**message, **({"reasoning_details": blocks} if blocks else {})}


def sent_back(upstream: responses.RequestsMock) -> dict[str, Any]:
    """The members of the assistant's message that the upstream got beside the usual ones."""
    body = json.loads(upstream.calls[-1].request.body)
    [message] = [m for m in body["messages"] if m["role"] == "assistant"]
    [call] = message["tool_calls"]
    extra = {"call": call["extra_content"]} if "extra_content" in call else {}
    return {k: v for k, v in message.items() if k not in ("role", "content", "tool_calls")} | extra


TOOL_MESSAGE = {"role": "tool", "tool_call_id": "c1", "content": "12:00"}
CHAT_FORMATS = [(format, stream) for format in ("openai", "phased") for stream in (False, True)]


@pytest.mark.parametrize(("format", "stream"), CHAT_FORMATS)
@pytest.mark.parametrize(
    ("model", "frames", "expected"),
    [
        (MODEL, TURN, {"reasoning_content": TRACE}),
        (MODEL, [delta(reasoning=TRACE), *TURN[1:]], {"reasoning": TRACE}),
        ("claude", details_turn(), {"reasoning_details": [WHOLE]}),
        ("claude", details_turn(LATE), {"reasoning_details": [WHOLE, LATE]}),
        (
            "gemini-3-pro",
            [delta(tool_calls=[SIGNED_CALL]), *TURN[2:]],
            {"call": SIGNED_CALL["extra_content"]},
        ),
        ("qwen3-8b", TURN, {}),
    ],
)
def test_a_chat_message_hands_back_what_its_server_wants(
    make_client: Callable[..., FlaskClient],
    upstream: responses.RequestsMock,
    format: str,
    stream: bool,
    model: str,
    frames: list[Any],
    expected: dict[str, Any],
) -> None:
    answers(upstream, *frames)
    message = chat_message(make_client(seal_key=KEY), format, stream, model)
    assert ("reasoning_details" in message) is bool(expected)
    assert TRACE not in json.dumps(message.get("reasoning_details"))
    message["tool_calls"] = [{"id": "c1", "type": "function", "function": CALL["function"]}]
    # Another worker, which has no memory of the call.
    again = make_client(seal_key=KEY)
    assert ask_chat(again, format, False, message, TOOL_MESSAGE, model=model).status_code == 200
    assert sent_back(upstream) == expected
    for broken in ("gw2.AAAA", "", None, 1):
        message["reasoning_details"] = [{"type": "reasoning.encrypted", "data": broken}, 1]
        answer = ask_chat(again, format, False, message, TOOL_MESSAGE, model=f"{model}-b")
        assert answer.status_code == 200
        assert sent_back(upstream) == {}
        again = make_client(seal_key=KEY)


@pytest.mark.parametrize("late", [(), (LATE,)])
def test_signed_blocks_survive_in_messages_and_responses(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock, late: Any
) -> None:
    answers(upstream, *details_turn(*late))
    content = messages(make_client(seal_key=KEY), model="claude").get_json()["content"]
    said = {"role": "assistant", "content": content}
    assert messages(make_client(seal_key=KEY), said, RESULT, model="claude").status_code == 200
    assert sent_back(upstream) == {"reasoning_details": [WHOLE, *late]}
    body: dict[str, Any] = {"model": "claude", "input": [USER]}
    body["include"] = ["reasoning.encrypted_content"]
    output = make_client(seal_key=KEY).post("/v1/responses", json=body).get_json()["output"]
    body["input"] += [*output, {"type": "function_call_output", "call_id": "c1", "output": "12"}]
    assert make_client(seal_key=KEY).post("/v1/responses", json=body).status_code == 200
    assert sent_back(upstream) == {"reasoning_details": [WHOLE, *late]}


def test_formats_without_a_place_get_no_seal(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    answers(upstream, *TURN)
    for format in ("events", "plain"):
        for stream in (False, True):
            answer = ask_chat(make_client(), format, stream, model=MODEL)
            assert "reasoning_details" not in answer.text


def test_thoughts_behind_an_answer_are_remembered_by_the_result_that_it_follows(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    answers(upstream, delta(reasoning_content="It is noon."), delta(content="Noon."), DONE)
    client = make_client()
    called = {"role": "assistant", "content": None, "tool_calls": [{**CALL, "type": "function"}]}
    reminder = {"role": "user", "content": "<system-reminder>\nNo todos.\n</system-reminder>"}
    answer = {"role": "assistant", "content": "Noon."}
    for after in ([], [reminder]):
        chat(client, called, TOOL_MESSAGE, *after)
        chat(client, called, TOOL_MESSAGE, *after, answer, USER)
        assert handed_back(upstream) == [None, "It is noon."]
        other = {**called, "tool_calls": [{**called["tool_calls"][0], "id": "c2"}]}
        chat(client, other, {**TOOL_MESSAGE, "tool_call_id": "c2"}, answer, USER)
        assert handed_back(upstream) == [None, None]
        # An answer that follows no result has no id.
        chat(client, called, TOOL_MESSAGE, *after, answer, USER, answer, USER)
        assert handed_back(upstream) == [None, "It is noon.", None]
