"""The mock model server's app, without a socket and without pacing."""

import json
import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import gateway.mock
from gateway.mock.demo import DEMOS
from gateway.mock.frames import split_tokens
from gateway.mock.local_answer import Piece
from gateway.mock.models import MODELS
from gateway.mock.replies import reply_to
from gateway.mock.request import Playback
from gateway.mock.server import create_app
from gateway.mock.texts import UNICODE

PATH = "/v1/chat/completions"
HI = "I should greet in one sentence and keep it short."
HELLO = "Hi! Nice to meet you."
TOPIC = "Explain quantum tunnelling"


@pytest.fixture
def client() -> FlaskClient:
    return create_app(Playback(tokens_per_second=0)).test_client()


def ask(client: FlaskClient, model: str = "default", prompt: str = "hi", **more) -> TestResponse:
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": True}
    return client.post(PATH, json=body | {"mock": {"delay_s": 0, "silence_s": 0}} | more)


def frames(response: TestResponse) -> list[str]:
    """The data of each event, as a client parses it."""
    text = response.get_data().decode("utf-8", "replace").replace("\r\n", "\n")
    events = [event for event in text.split("\n\n") if event]
    return [line[6:] for event in events for line in event.split("\n") if line.startswith("data: ")]


def chunks(response: TestResponse) -> list[dict]:
    """The chunks of a stream that ends in [DONE]."""
    *data, last = frames(response)
    assert last == "[DONE]"
    return [json.loads(one) for one in data]


def joined(stream: list[dict], key: str = "content") -> str:
    deltas = [choice["delta"] for chunk in stream for choice in chunk["choices"]]
    return "".join(delta.get(key) or "" for delta in deltas)


def finish_reasons(stream: list[dict]) -> list[str]:
    reasons = [choice["finish_reason"] for chunk in stream for choice in chunk["choices"]]
    return [reason for reason in reasons if reason]


@pytest.mark.parametrize("prompt", ["hi", " HI\n"])
def test_hi_to_the_default_model_gets_this_exact_text(client: FlaskClient, prompt: str) -> None:
    assert joined(chunks(ask(client, prompt=prompt))) == f"<think>\n{HI}\n</think>\n\n{HELLO}"


@pytest.mark.parametrize(
    ("model", "content"),
    [
        ("starts-inside", f"{HI}\n</think>\n\n{HELLO}"),
        ("no-reasoning", HELLO),
        ("tags-reasoning", f"<reasoning>\n{HI}\n</reasoning>\n\n{HELLO}"),
        ("tags-thinking", f"<thinking>\n{HI}\n</thinking>\n\n{HELLO}"),
        ("mock-magistral", f"[THINK]{HI}[/THINK]{HELLO}"),
        ("slow-start", f"<think>\n{HI}\n</think>\n\n{HELLO}"),
        ("silent", f"<think>\n{HI}\n</think>\n\n{HELLO}"),
        ("bursts", f"<think>\n{HI}\n</think>\n\n{HELLO}"),
        ("crlf", f"<think>\n{HI}\n</think>\n\n{HELLO}"),
    ],
)
def test_reasoning_is_marked_in_the_content(client: FlaskClient, model: str, content: str) -> None:
    stream = chunks(ask(client, model))
    assert joined(stream) == content
    assert finish_reasons(stream) == ["stop"]


@pytest.mark.parametrize(
    ("model", "key"), [("labelled", "reasoning_content"), ("labelled-reasoning", "reasoning")]
)
def test_reasoning_is_sent_in_its_own_key(client: FlaskClient, model: str, key: str) -> None:
    stream = chunks(ask(client, model))
    assert (joined(stream, key), joined(stream)) == (HI, HELLO)
    whole = ask(client, model, stream=False).get_json()["choices"][0]["message"]
    assert whole == {"role": "assistant", key: HI, "content": HELLO}


def test_chunks_have_the_shape_of_vllms(client: FlaskClient) -> None:
    response = ask(client)
    assert response.content_type == "text/event-stream; charset=utf-8"
    stream = chunks(response)
    assert {c["object"] for c in stream} == {"chat.completion.chunk"}
    assert len({(c["id"], c["created"], c["model"]) for c in stream}) == 1
    first = {"role": "assistant", "content": ""}
    choice = {"index": 0, "delta": first, "logprobs": None, "finish_reason": None}
    assert stream[0]["choices"] == [choice]
    assert not any("usage" in chunk for chunk in stream)


def test_usage_is_sent_only_on_request(client: FlaskClient) -> None:
    stream = chunks(ask(client, stream_options={"include_usage": True}))
    assert stream[-1]["choices"] == []
    assert stream[-1]["usage"] == {
        "prompt_tokens": 1,
        "completion_tokens": 23,
        "total_tokens": 24,
        "completion_tokens_details": {"reasoning_tokens": 16},
    }
    assert ask(client, stream=False).get_json()["usage"] == stream[-1]["usage"]


FAILING = {name for name, script in MODELS.items() if script.error}
NOT_WHOLE = {"cut", "cut-thinking", "error-in-stream", "garbage", "html", "json-body"}


@pytest.mark.parametrize("model", [m for m in MODELS if m not in NOT_WHOLE | FAILING])
def test_streamed_and_whole_answers_agree(client: FlaskClient, model: str) -> None:
    stream = chunks(ask(client, model, prompt=TOPIC))
    choice = ask(client, model, prompt=TOPIC, stream=False).get_json()["choices"][0]
    text = joined(stream).encode("utf-16", "surrogatepass").decode("utf-16")
    assert text == (choice["message"]["content"] or "")
    assert finish_reasons(stream) == [choice["finish_reason"]]


@pytest.mark.parametrize("key", ["max_tokens", "max_completion_tokens"])
def test_a_token_limit_truncates_the_answer(client: FlaskClient, key: str) -> None:
    stream = chunks(ask(client, "no-reasoning", **{key: 3}))
    assert joined(stream) == "Hi! Nice"
    assert finish_reasons(stream) == ["length"]
    assert finish_reasons(chunks(ask(client, "no-reasoning", **{key: 7}))) == ["stop"]


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("What is 2+2?", "2 + 2 = 4."),
        ("what's 2 × 3.5", "2 * 3.5 = 7."),
        ("Calculate 0.1 + 0.2", "0.1 + 0.2 = 0.3."),
        ("7/2 =", "7 / 2 = 3.5."),
        ("-3 - -4", "-3 - -4 = 1."),
        ("What is 5/0?", "5 / 0 has no result, because it divides by zero."),
    ],
)
def test_arithmetic_is_calculated(prompt: str, answer: str) -> None:
    assert reply_to(prompt).answer == answer


def test_arithmetic_shows_its_steps() -> None:
    reasoning, answer = reply_to("Compute 12 * (3 + 4) / 7")
    assert "Step 1: 3 + 4 = 7. Step 2: 12 * 7 = 84. Step 3: 84 / 7 = 12." in reasoning
    assert answer.startswith("12 * (3 + 4) / 7 = 12.")


@pytest.mark.parametrize(
    "prompt",
    ["2**9999", "What is 5?", "What is 24/7 support?", "((((1+1", "9" * 90, "1" + "+1" * 99],
)
def test_invalid_arithmetic_still_gets_an_answer(prompt: str) -> None:
    assert reply_to(prompt).answer


@pytest.mark.parametrize(
    ("prompt", "subject"),
    [
        ("Explain streaming APIs", "streaming API"),
        ("What is recursion?", "Recursion"),
        (TOPIC, "none of them is about quantum tunnelling"),
        ("Please explain to me the tides.", "none of them is about the tides"),
        ("How does TCP work?", "none of them is about the workings of TCP"),
        ("How do I bake bread?", "none of them is about how to bake bread"),
        ("my {bike} is broken", "none of them is about the request “my {bike} is broken”"),
        ("", "none of them is about the request"),
        ("word " * 5000, " …”"),
    ],
)
def test_other_prompts_get_a_long_answer_about_them(
    client: FlaskClient, prompt: str, subject: str
) -> None:
    stream = chunks(ask(client, "labelled", prompt=prompt))
    answer = joined(stream)
    assert subject in answer
    assert len(answer) >= 1378
    assert len(answer.split("\n\n")) >= 5
    assert len(stream) > 200
    sentences = re.findall(r"[.!?](?:\s|$)", joined(stream, "reasoning_content"))
    assert 4 <= len(sentences) <= 8


def test_ten_prompts_have_a_reply_of_their_own(client: FlaskClient) -> None:
    assert len(DEMOS) == 10
    for demo in DEMOS:
        prompt = f" {demo.prompt.upper()} "
        for model in ("labelled", "thinker"):
            stream = chunks(ask(client, model, prompt=prompt))
            assert joined(stream) == demo.reply.answer
            assert joined(stream, "reasoning_content") == demo.reply.reasoning
        assert demo.reply.reasoning.count("\n\n") >= 4, "it thinks in steps"


def test_other_prompts_are_told_that_the_model_is_scripted(client: FlaskClient) -> None:
    answer = joined(chunks(ask(client, "labelled", prompt=TOPIC)))
    assert answer.startswith("I am a scripted model")
    assert [demo.prompt for demo in DEMOS if f"**{demo.prompt}**" not in answer] == []


def test_the_list_of_models_keeps_the_faults_apart(client: FlaskClient) -> None:
    listed = client.get("/v1/models").get_json()["data"]
    owners = {model["id"]: model["owned_by"] for model in listed}
    assert [id for id, owner in owners.items() if owner == "mock"] == [
        *("default", "no-reasoning", "thinker")
    ]
    assert owners["mock-magistral"] == owners["agent"] == owners["unicode"] == "mock-variants"
    for name in ("cut", "error-500", "html", "garbage", "silent", "thinker-mislabels"):
        assert owners[name] == "mock-faults"


def test_long_thinking_is_long_and_corrects_itself(client: FlaskClient) -> None:
    thinking = joined(chunks(ask(client, "long-thinking", TOPIC))).partition("</think>")[0]
    assert 300 <= len(thinking.split()) <= 500
    assert thinking.count("\n\n") >= 5
    for sign in ("First, a plan", "Wait, ", "Let me check", "So the decision is"):
        assert sign in thinking


@pytest.mark.parametrize("prompt", ["hi", "What is 2+2?", TOPIC, "Explain streaming APIs"])
def test_natural_reasoning_opens_once_and_concludes_once(client: FlaskClient, prompt: str) -> None:
    text = joined(chunks(ask(client, "mock-natural", prompt)))
    assert text.startswith("Let me think about ")
    reasoning, conclusion, answer = text.partition("Therefore, ")
    assert conclusion
    assert not re.search("in conclusion|the answer is|therefore", reasoning, re.I)
    assert reply_to(prompt).answer in answer


def test_a_tool_call_is_streamed_in_pieces(client: FlaskClient) -> None:
    schema = {"properties": {"city": {"type": "string"}, "days": {"type": "integer"},
                             "unit": {"enum": ["celsius"]}, "odd": True}}  # fmt: skip
    tools = [{"type": "function", "function": {"name": "forecast", "parameters": schema}}]
    stream = chunks(ask(client, "tool-call", tools=tools))
    pieces = [c["choices"][0]["delta"].get("tool_calls") for c in stream]
    calls = [piece[0] for piece in pieces if piece]
    assert calls[0]["id"].startswith("call_")
    assert calls[0]["function"] == {"name": "forecast", "arguments": ""}
    assert len(calls) > 3
    arguments = "".join(call["function"]["arguments"] for call in calls)
    assert json.loads(arguments) == {"city": "Paris", "days": 1, "unit": "celsius", "odd": "Paris"}
    assert finish_reasons(stream) == ["tool_calls"]

    whole = ask(client, "tool-call", stream=False).get_json()["choices"][0]["message"]
    assert whole["tool_calls"][0]["function"]["name"] == "get_weather"
    assert json.loads(whole["tool_calls"][0]["function"]["arguments"])["location"] == "Paris"


def test_two_tool_calls_are_interleaved(client: FlaskClient) -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in "fg"]
    stream = chunks(ask(client, "tool-calls", tools=tools))
    pieces = [c["choices"][0]["delta"].get("tool_calls") for c in stream]
    calls = [piece[0] for piece in pieces if piece]
    assert [call["index"] for call in calls[:4]] == [0, 1, 0, 1]
    assert [call["function"].get("name") for call in calls[:3]] == ["f", "g", None]
    assert finish_reasons(stream) == ["tool_calls"]

    whole = ask(client, "tool-calls", stream=False).get_json()["choices"][0]["message"]
    named = [call["function"]["name"] for call in whole["tool_calls"]]
    assert named == ["get_weather", "get_weather"]


def test_the_model_answers_after_a_tool_result(client: FlaskClient) -> None:
    messages = [{"role": "user", "content": "Weather?"}, {"role": "tool", "content": "Sunny."}]
    stream = chunks(ask(client, "tool-call", messages=messages))
    assert joined(stream).endswith("It says: Sunny.")
    assert finish_reasons(stream) == ["stop"]


def test_unicode_splits_an_emoji_over_two_frames(client: FlaskClient) -> None:
    raw = ask(client, "unicode").get_data()
    assert rb'"\ud83d"' in raw.replace(b'" \\', b'"\\')
    assert rb'"\ude00"' in raw
    assert "\u2028".encode() in raw
    text = joined(chunks(ask(client, "unicode")))
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16")
    assert whole.endswith(UNICODE.answer)


def test_reasoning_that_never_ends_has_finish_reason_length(client: FlaskClient) -> None:
    stream = chunks(ask(client, "never-ends-thinking"))
    assert joined(stream).startswith("<think>\n")
    assert "</think>" not in joined(stream)
    assert finish_reasons(stream) == ["length"]


@pytest.mark.parametrize(
    ("model", "seen", "not_seen"),
    [("cut", "</think>", HELLO), ("cut-thinking", "<think>", "</think>")],
)
def test_a_cut_stream_has_no_finish_reason(
    client: FlaskClient, model: str, seen: str, not_seen: str
) -> None:
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    received = []
    response = client.post(PATH, json=body, buffered=False)
    with pytest.raises(ConnectionResetError):
        received.extend(response.response)
    stream = [json.loads(data[6:]) for data in received]
    assert seen in joined(stream)
    assert not_seen not in joined(stream)
    assert finish_reasons(stream) == []


def test_an_error_in_the_stream_follows_eight_chunks(client: FlaskClient) -> None:
    *deltas, error, done = frames(ask(client, "error-in-stream", prompt=TOPIC))
    assert len(deltas) == 8
    assert set(json.loads(error)["error"]) == {"message", "type", "param", "code"}
    assert done == "[DONE]"


def test_garbage_leaves_the_good_chunks_intact(client: FlaskClient) -> None:
    good, bad = [], 0
    for data in frames(ask(client, "garbage")):
        try:
            chunk = json.loads(data)
            assert chunk["object"]
            good.append(chunk)
        except (ValueError, TypeError, KeyError):
            bad += 1
    assert joined(good) == f"<think>\n{HI}\n</think>\n\n{HELLO}"
    assert bad >= 5
    assert finish_reasons(good) == ["stop"]


def test_crlf_has_no_bare_newline(client: FlaskClient) -> None:
    raw = ask(client, "crlf").get_data()
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert raw.startswith(b": comment\r\n\r\n")


def test_html_and_json_are_sent_instead_of_a_stream(client: FlaskClient) -> None:
    page = ask(client, "html")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert page.get_data().startswith(b"<!doctype html>")
    whole = ask(client, "json-body")
    assert (whole.status_code, whole.mimetype) == (200, "application/json")
    assert whole.get_json()["object"] == "chat.completion"


@pytest.mark.parametrize(
    ("model", "status"),
    [("error-400", 400), ("error-401", 401), ("error-500", 500), ("rate-limited", 429)],
)
def test_error_models_send_their_status(client: FlaskClient, model: str, status: int) -> None:
    response = ask(client, model)
    assert response.status_code == status
    assert set(response.get_json()["error"]) == {"message", "type", "param", "code"}
    assert response.headers.get("Retry-After") == ("7" if status == 429 else None)


def test_playback_is_set_in_the_body_or_in_the_model_name(client: FlaskClient) -> None:
    pieces = [c["choices"][0]["delta"].get("content") for c in chunks(
        ask(client, "no-reasoning", mock={"tokens_per_frame": 3, "repeat": 2}))]  # fmt: skip
    assert [p for p in pieces if p] == [
        "Hi! Nice",
        " to meet you",
        ".Hi!",
        " Nice to meet",
        " you.",
    ]
    named = ask(client, "no-reasoning@tps=0,delay=0,repeat=2", mock={})
    assert joined(chunks(named)) == HELLO * 2
    assert joined(chunks(ask(client, "no-reasoning@repeat=2", mock={"repeat": 1}))) == HELLO


def test_bursts_join_frames_into_one_write(client: FlaskClient) -> None:
    body = {"model": "bursts", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    writes = list(client.post(PATH, json=body, buffered=False).response)
    assert [write.count(b"data: ") for write in writes] == [16, 10]


USER = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ("", 400, None),
        ('{"messages": [', 400, None),
        (b"\xff\xfe", 400, None),
        ("[" * 100_000, 400, None),
        ('{"messages":' + "[" * 100_000, 400, None),
        ("[]", 400, None),
        ({}, 400, None),
        ({"messages": []}, 400, "messages"),
        ({"messages": "hi"}, 400, "messages"),
        ({"messages": [1]}, 400, "messages[0]"),
        ({"messages": [{"role": 1}]}, 400, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 1}]}, 400, "messages[0].content"),
        ({"messages": [USER], "stream": "yes"}, 400, "stream"),
        ({"messages": [USER], "stream_options": []}, 400, "stream_options"),
        ({"messages": [USER], "max_tokens": 0}, 400, "max_tokens"),
        ({"messages": [USER], "n": 2}, 400, "n"),
        ({"messages": [USER], "tools": [{"type": "function"}]}, 400, "tools[0]"),
        ({"messages": [USER], "mock": {"speed": 1}}, 400, "mock"),
        ({"messages": [USER], "mock": {"repeat": 0}}, 400, "mock.repeat"),
        ({"messages": [USER], "mock": {"delay_s": "1"}}, 400, "mock.delay_s"),
        ({"messages": [USER], "mock": []}, 400, "mock"),
        ({"messages": [USER], "model": 5}, 400, "model"),
        ({"messages": [USER], "model": "default@tps=fast"}, 400, "model"),
        ({"messages": [USER], "model": "default@speed=2"}, 400, "mock"),
        ({"messages": [USER], "model": "gpt"}, 404, "model"),
    ],
)
def test_an_invalid_request_gets_an_error_that_names_the_field(
    client: FlaskClient, body: object, status: int, param: str | None
) -> None:
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    response = client.post(PATH, data=data)
    error = response.get_json()["error"]
    assert (response.status_code, error["type"]) == (status, "invalid_request_error")
    assert (error["param"] or "").startswith(param or "")
    assert error["message"].endswith(".")


def test_an_unknown_model_gets_the_list_of_models(client: FlaskClient) -> None:
    error = ask(client, "gpt").get_json()["error"]
    assert error["code"] == "model_not_found"
    assert all(name in error["message"] for name in MODELS)


def test_a_wrong_method_or_path_gets_an_openai_error(client: FlaskClient) -> None:
    wrong = client.get(PATH)
    assert (wrong.status_code, wrong.get_json()["error"]["param"]) == (405, None)
    assert "POST" in wrong.headers["Allow"]
    assert client.get("/nothing").get_json()["error"]["type"] == "invalid_request_error"


def test_routes_work_with_and_without_v1(client: FlaskClient) -> None:
    assert client.post("/chat/completions", json={"messages": [USER]}).status_code == 200
    for path in ("/v1/models", "/models"):
        assert [model["id"] for model in client.get(path).get_json()["data"]] == list(MODELS)
    assert client.get("/health").get_json()["status"] == "ok"


def test_stats_count_outcomes_and_show_the_last_request(client: FlaskClient) -> None:
    ask(client, "no-reasoning", user="someone").get_data()
    body = {"model": "default", "stream": True, "messages": [USER]}
    response = client.post(PATH, json=body, headers={"X-Custom": "secret"}, buffered=False)
    next(iter(response.response))
    assert client.get("/stats").get_json()["open_streams"] == 1
    response.response.close()  # the client leaves
    stats = client.get("/stats").get_json()
    last = stats.pop("last_request")
    assert stats == {
        "requests": 2, "open_streams": 0, "finished": 1, "aborted": 1, "tokens_sent": 7
    }  # fmt: skip
    assert (last["path"], last["body"]) == (PATH, body)
    assert "X-Custom" in last["headers"]
    assert "secret" not in json.dumps(last)


def test_only_text_parts_of_the_content_are_read(client: FlaskClient) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    parts = [image, {"type": "text", "text": "hi"}, "odd"]
    stream = chunks(ask(client, "labelled", messages=[{"role": "user", "content": parts}]))
    assert joined(stream) == HELLO


@pytest.mark.parametrize(
    "text", ["", "Let's go.\n\n<think>\t  x", "a\u0085b\u2028c 😀  é", "12345"]
)
def test_tokens_join_to_the_text(text: str) -> None:
    assert "".join(split_tokens(text)) == text


class TinyModel:
    """Replaces LocalModel, which needs torch; it answers every prompt with two tokens."""

    name = "tiny-1b"
    context_length = 100

    def encode_prompt(self, _messages: list[dict[str, str]]) -> tuple[list[int], str]:
        return [1, 2, 3], "<think>"

    def generate(self, *_: object) -> Iterator[Piece]:
        yield Piece("Hm.")
        yield Piece("</think>Hi.")
        yield Piece("", 0, "stop")


@pytest.mark.parametrize("model", ["default", "qwen3", "json-body"])
def test_a_real_model_streams_under_any_name(model: str) -> None:
    client = create_app(local=TinyModel()).test_client()
    stream = chunks(ask(client, model))
    assert joined(stream) == "<think>Hm.</think>Hi."
    assert finish_reasons(stream) == ["stop"]
    assert {chunk["model"] for chunk in stream} == {"tiny-1b"}


def test_the_package_docstring_names_every_model() -> None:
    assert gateway.mock.__doc__
    words = gateway.mock.__doc__.split()
    assert [name for name in MODELS if name not in words] == []


USER_TURN = {"role": "user", "content": "look around"}
SHELL = {
    "type": "function",
    "function": {
        "name": "shell",
        "parameters": {
            "properties": {"command": {"type": "string"}, "why": {"type": "string"}},
            "required": ["command"],
        },
    },
}


def agent(client: FlaskClient, messages: list, model: str = "agent") -> TestResponse:
    return ask(client, model, messages=messages, tools=[SHELL], stream=False)


@pytest.mark.parametrize("model", ["agent", "deepseek-v4-agent"])
def test_an_agents_model_runs_two_commands_in_each_turn(client: FlaskClient, model: str) -> None:
    messages: list = [{"role": "system", "content": "You have a shell."}]
    for _ in range(2):
        messages.append(USER_TURN)
        for step in (1, 2):
            message = agent(client, messages, model).get_json()["choices"][0]["message"]
            [call] = message["tool_calls"]
            assert json.loads(call["function"]["arguments"]) == {"command": f"echo step {step}"}
            result = {"role": "tool", "tool_call_id": call["id"], "content": f"step {step}"}
            messages += [message, result]
        message = agent(client, messages, model).get_json()["choices"][0]["message"]
        assert "Done after 2 commands." in message["content"]
        messages.append(message)


def test_the_second_call_of_agent_cut_is_cut(client: FlaskClient) -> None:
    call = {"id": "c", "function": {"name": "shell", "arguments": "{}"}}
    history = [
        USER_TURN,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": ""},
    ]
    whole = ask(client, "agent-cut", messages=[USER_TURN], tools=[SHELL])
    assert finish_reasons(chunks(whole)) == ["tool_calls"]
    with pytest.raises(ConnectionResetError):
        ask(client, "agent-cut", messages=history, tools=[SHELL]).get_data()


def call_with(arguments: str, **members: object) -> dict:
    call = {"id": "c", "function": {"name": "shell", "arguments": arguments}}
    return {"role": "assistant", "tool_calls": [call], **members}


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([USER_TURN, {"role": "system", "content": "late"}], "messages[1]"),
        ([{"role": "developer", "content": "hi"}, USER_TURN], "messages[0]"),
        ([USER_TURN, call_with('{"a'), {"role": "tool", "tool_call_id": "c"}], "messages[1]"),
        ([USER_TURN, call_with("[]"), {"role": "tool", "tool_call_id": "c"}], "messages[1]"),
        ([USER_TURN, {"role": "tool", "tool_call_id": "c", "content": "4"}], "messages[1]"),
        ([USER_TURN, call_with("{}", reasoning_content="a"), USER_TURN], "messages[2]"),
        ([USER_TURN, {"role": "assistant", "content": ""}, USER_TURN], "messages[1]"),
    ],
)
def test_a_strict_model_refuses_the_conversation(
    client: FlaskClient, messages: list, param: str
) -> None:
    for model in ("agent", "deepseek-v4-agent", "agent-cut"):
        response = agent(client, messages, model)
        assert response.status_code == 400
        assert response.get_json()["error"]["param"] == param


def test_a_model_that_wants_its_reasoning_back_refuses_a_call_without(client: FlaskClient) -> None:
    result = {"role": "tool", "tool_call_id": "c", "content": "4"}
    without = [USER_TURN, call_with("{}"), result]
    given = [USER_TURN, call_with("{}", reasoning_content="I look."), result]
    answered = [*given, {"role": "assistant", "content": "4"}, USER_TURN]
    assert agent(client, without).status_code == 200
    assert agent(client, without, "deepseek-v4-agent").status_code == 400
    assert agent(client, given, "deepseek-v4-agent").status_code == 200
    assert agent(client, answered, "deepseek-v4-agent").status_code == 400
