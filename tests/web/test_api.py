"""The chat API: what the upstream gets, what the client gets, and every refusal."""

import gzip
import hashlib
import json
import uuid
from collections.abc import Callable
from typing import Any

import gevent
import pytest
import requests
import responses
from flask.testing import FlaskClient

from gateway.config import UpstreamConfig
from gateway.core.families.evidence import TURNS_IN_A_ROW
from tests.core.scripted import DONE, FINISH, USAGE, contents
from tests.web.conftest import COMPLETIONS, UPSTREAM, answers

MESSAGES = [{"role": "user", "content": "hi"}]
GREETING = [
    *contents("<think>\nI should greet in one sentence and keep it short.\n</think>\n\n", "Hi! "),
    *contents("Nice to meet you."),
    FINISH,
    USAGE,
    DONE,
]

UNKNOWN_SERVER = {"kind": None, "thinking_budget": None, "answer_now": ["restart"]}
"""How an upstream is described whose kind is not known."""


def ask(client: FlaskClient, path: str = "/v1/chat/completions", **body: Any) -> Any:
    """The response, read to its end and closed."""
    return client.post(path, json={"messages": MESSAGES, "stream": True, **body}, buffered=True)


def events(response: Any) -> list[tuple[str, Any]]:
    found = []
    for block in response.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if "data" in fields:
            data = fields["data"]
            found.append((fields.get("event", ""), data if data == DONE else json.loads(data)))
    return found


def test_the_events_format_streams_named_events(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *GREETING)
    response = ask(client, gateway={"format": "events"})
    named = events(response)
    assert [name for name, _ in named] == [
        "prompt_summary",
        "reasoning_summary",
        "final_output_delta",
        "done",
    ]
    assert named[0][1]["text"] == "hi"
    assert named[0][1]["ttft_ms"] >= 0
    assert named[1][1] == {"text": "I should greet in one sentence and keep it short."}
    assert named[2][1] == {"text": "Hi! Nice to meet you."}
    assert named[3][1]["finish_reason"] == "stop"
    assert named[3][1]["usage"] == {"total_tokens": 3}


def test_the_headers_of_a_stream_forbid_buffering_and_caching(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *GREETING)
    response = ask(client)
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache, no-transform"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["X-Stream-Id"] in response.text
    assert uuid.UUID(response.headers["X-Request-Id"])  # some servers refuse any other id
    assert "Content-Length" not in response.headers
    assert "Content-Encoding" not in response.headers


def test_a_valid_request_id_of_the_client_is_kept(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *GREETING)
    for sent, kept in (("abc-1.2:3", True), ("a b", False), ("x" * 200, False)):
        response = client.post(
            "/v1/chat/completions", json={"messages": MESSAGES}, headers={"X-Request-Id": sent}
        )
        assert (response.headers["X-Request-Id"] == sent) is kept
        assert response.headers["request-id"] == response.headers["X-Request-Id"]
        assert (
            upstream.calls[-1].request.headers["X-Request-Id"] == response.headers["X-Request-Id"]
        )


@pytest.mark.parametrize("path", ["/v1", "/events/v1", "/plain/v1", "/openai/v1", "/phased/v1"])
def test_the_format_in_the_body_overrides_the_one_in_the_path(
    client: FlaskClient, upstream: responses.RequestsMock, path: str
) -> None:
    answers(upstream, *GREETING)
    of_path = path.removesuffix("/v1").strip("/") or "phased"
    for options, expected in (({}, of_path), ({"gateway": {"format": "events"}}, "events")):
        response = ask(client, f"{path}/chat/completions", **options)
        body = response.text
        found = (
            "events"
            if "event: prompt_summary" in body
            else "phased"
            if "event: phase" in body
            else "openai"
            if '"reasoning_content"' in body
            else "plain"
        )
        assert found == expected


def test_the_default_format_is_a_setting(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    answers(upstream, *GREETING)
    assert "event: prompt_summary" in ask(make_client(default_format="events")).text


def test_the_upstream_gets_the_request_without_the_gateways_options(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    answers(upstream, *GREETING)
    extra = {"temperature": 0.7, "tools": [{"type": "function"}], "made_up": {"a": [1]}}
    options = {"continuous_usage_stats": True}
    gateway = {"format": "events", "reasoning": "both", "detail": "concise"}
    ask(
        make_client(upstream_api_key="key-1"),
        model="m",
        gateway=gateway,
        stream_options=options,
        **extra,
    )
    request = upstream.calls[0].request
    assert json.loads(request.body) == {
        "model": "m",
        "messages": MESSAGES,
        "stream": True,
        "stream_options": {"continuous_usage_stats": True, "include_usage": True},
        **extra,
    }
    assert request.headers["Authorization"] == "Bearer key-1"
    assert request.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("path", "member", "assistant"),
    [
        (
            "/v1/chat/completions",
            "messages",
            [{"role": "assistant", "content": "Hi.", "reasoning_content": "I greet."}],
        ),
        (
            "/v1/messages",
            "messages",
            [
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "I greet.", "signature": "s"},
                        {"type": "text", "text": "Hi."},
                    ],
                }
            ],
        ),
        (
            "/v1/responses",
            "input",
            [
                {"type": "reasoning", "id": "rs_1", "summary": [{"text": "I greet."}]},
                {"role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]},
            ],
        ),
        *(
            (path, member, [{"role": "assistant", "content": f"{summaries}Hi."}])
            for path, member in (
                ("/v1/chat/completions", "messages"),
                ("/v1/messages", "messages"),
                ("/v1/responses", "input"),
            )
            for summaries in ("[Prompt Summary] hi\n\n[Reasoning Summary] I greet.\nShort.\n\n",)
        ),
    ],
)
def test_reasoning_in_the_history_is_not_sent_to_the_upstream(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    path: str,
    member: str,
    assistant: list[dict[str, Any]],
) -> None:
    answers(upstream, *GREETING)
    [user] = MESSAGES
    body = {"model": "m", "max_tokens": 9, member: [user, *assistant, user]}
    assert client.post(path, json=body, buffered=True).status_code == 200
    sent = json.loads(upstream.calls[0].request.body)
    assert sent["messages"] == [user, {"role": "assistant", "content": "Hi."}, user]


LONG_ID = "user_" + "a" * 145


@pytest.mark.parametrize(
    ("path", "members"),
    [
        ("/v1/chat/completions", {"messages": MESSAGES, "user": LONG_ID, "extra_body": {}}),
        ("/v1/responses", {"input": "hi", "user": LONG_ID, "client_metadata": {}}),
        (
            "/v1/messages",
            {"messages": MESSAGES, "max_tokens": 9, "metadata": {"user_id": LONG_ID}},
        ),
    ],
)
def test_strangers_are_not_sent_on_and_long_user_ids_are_hashed(
    client: FlaskClient, upstream: responses.RequestsMock, path: str, members: dict[str, Any]
) -> None:
    answers(upstream, *GREETING)
    assert client.post(path, json=members, buffered=True).status_code == 200
    sent = json.loads(upstream.calls[0].request.body)
    assert sent.keys() <= {"messages", "user", "max_tokens", "stream", "stream_options"}
    assert sent["user"] == hashlib.sha256(LONG_ID.encode()).hexdigest()


def test_a_compressed_body_is_read(client: FlaskClient, upstream: responses.RequestsMock) -> None:
    answers(upstream, *GREETING)
    body = gzip.compress(json.dumps({"messages": MESSAGES}).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    path = "/openai/v1/chat/completions"
    assert client.post(path, data=body, headers=headers).status_code == 200
    assert json.loads(upstream.calls[0].request.body)["messages"] == MESSAGES
    headers["Content-Encoding"] = "compress"
    assert client.post(path, data=body, headers=headers).status_code == 415


def test_only_the_newest_message_of_the_user_can_be_refused(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *GREETING)
    history = [
        {"role": "developer", "content": "Be brief."},
        {"content": "no role"},
        "no message",
        {"role": "user"},
        {"role": "user", "content": ["a", 1, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": {"answer": 4}},
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "Be kind."},
    ]
    response = client.post("/openai/v1/chat/completions", json={"messages": history})
    assert response.status_code == 200
    assert json.loads(upstream.calls[0].request.body)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": '{"answer":4}'},
        {"role": "user", "content": "hi"},
        {"role": "user", "content": "Be kind."},
    ]
    assert response.get_json()["phases"]["prompt_summary"].endswith("hi")


def test_the_clients_key_is_not_sent_to_the_upstream(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *GREETING)
    client.post(
        "/v1/chat/completions",
        json={"messages": MESSAGES},
        buffered=True,
        headers={"Authorization": "Bearer clients", "Cookie": "a=b"},
    )
    assert "Authorization" not in upstream.calls[0].request.headers
    assert "Cookie" not in upstream.calls[0].request.headers


@pytest.mark.parametrize("format", ["phased", "events", "openai", "plain"])
def test_a_non_streamed_answer_is_one_chat_completion_in_every_format(
    client: FlaskClient, upstream: responses.RequestsMock, format: str
) -> None:
    answers(upstream, *GREETING)
    response = ask(client, stream=False, gateway={"format": format})
    body = response.get_json()
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"]["content"] == "Hi! Nice to meet you."
    assert body["choices"][0]["finish_reason"] == "stop"
    summary = "I should greet in one sentence and keep it short."
    assert body["phases"] == {"prompt_summary": "hi", "reasoning_summary": summary}
    assert body["usage"] == {"total_tokens": 3}


def test_a_request_can_say_that_the_model_starts_inside_its_reasoning(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("I think.</think>Hi"), FINISH, DONE)
    response = ask(client, stream=False, gateway={"starts_inside": True})
    assert response.get_json()["phases"]["reasoning_summary"] == "I think."


def test_a_request_that_turns_thinking_off_starts_outside_the_reasoning(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *contents("It is 4."), FINISH, DONE)
    options = {"model": "deepseek-r1", "gateway": {"format": "events", "reasoning": "raw"}}
    names = [name for name, _ in events(ask(client, reasoning_effort="none", **options))]
    assert names == ["prompt_summary", "final_output_delta", "done"]


def test_unopened_end_markers_in_a_row_make_later_turns_start_inside(
    client: FlaskClient, upstream: responses.RequestsMock, logged: list[dict[str, Any]]
) -> None:
    answers(upstream, *contents("I think.</think>Hi"), FINISH, DONE)

    def turn(**options: Any) -> tuple[str, str]:
        message = ask(client, model="mine", stream=False, **options).get_json()["choices"][0]
        return message["message"]["reasoning"], message["message"]["content"]

    assert turn(gateway={"starts_inside": False, "reasoning": "raw"}) == ("", "I think.Hi")
    for _ in range(TURNS_IN_A_ROW):
        assert turn(gateway={"reasoning": "raw"}) == ("", "I think.Hi")
    assert turn(gateway={"reasoning": "raw"}) == ("I think.", "Hi")
    warnings = [line for line in logged if line["level"] == "warning"]
    assert [(w["event"], w["model"], w["upstream"]) for w in warnings] == [
        ("model starts inside its reasoning", "mine", "default")
    ]


@pytest.mark.parametrize("stream", [True, False])
def test_several_choices_are_answered_streamed_or_not(
    client: FlaskClient, upstream: responses.RequestsMock, stream: bool
) -> None:
    frames = [
        {"choices": [{"index": i, "delta": {"content": text}, "finish_reason": reason}]}
        for i, text, reason in ((0, "A", None), (1, "B", None), (0, "", "stop"), (1, "", "stop"))
    ]
    answers(upstream, *frames, DONE)
    response = ask(client, n=2, stream=stream, gateway={"format": "openai"})
    if stream:
        chunks = [data for _, data in events(response) if data != DONE]
        finished = [c["choices"][0] for c in chunks if c["choices"][0]["finish_reason"]]
        assert [choice["index"] for choice in finished] == [0, 1]
    else:
        choices = response.get_json()["choices"]
        assert [choice["message"]["content"] for choice in choices] == ["A", "B"]
    assert json.loads(upstream.calls[0].request.body)["n"] == 2


def test_an_upstream_may_answer_with_one_json_body(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    message = {"role": "assistant", "content": "<think>I think.</think>Hi"}
    upstream.post(COMPLETIONS, json={"choices": [{"message": message, "finish_reason": "stop"}]})
    named = events(ask(client, gateway={"format": "events"}))
    assert [data.get("text") for _, data in named] == ["hi", "I think.", "Hi", None]


# Prompt requests.


def prompt(client: FlaskClient, path: str = "/v1/chat/completions", **body: Any) -> Any:
    return client.post(path, json=body, buffered=True)


def test_a_prompt_request_is_answered_in_plain(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *GREETING)
    response = prompt(client, prompt="Explain streaming APIs", stream=True)
    assert events(response) == [
        ("", {"choices": [{"delta": {"content": "Hi! Nice to meet you."}}]}),
        ("", DONE),
    ]
    sent = json.loads(upstream.calls[0].request.body)
    assert sent["messages"] == [{"role": "user", "content": "Explain streaming APIs"}]
    assert "prompt" not in sent


def test_a_prompt_request_may_name_another_format(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *GREETING)
    response = prompt(client, prompt="hi", stream=True, gateway={"format": "events"})
    assert events(response)[0] == ("prompt_summary", events(response)[0][1])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"prompt": "", "stream": True}, "Prompt cannot be empty"),
        ({"prompt": "  \n", "stream": True}, "Prompt cannot be empty"),
        ({"prompt": None, "stream": True}, "Prompt cannot be empty"),
        ({"prompt": "a" * 5001, "stream": True}, "Prompt exceeds maximum length"),
        ({"prompt": "a"}, "stream parameter must be true"),
        ({"prompt": "a", "stream": False}, "stream parameter must be true"),
        ({"prompt": ["a"], "stream": True}, "Prompt must be a string"),
    ],
)
@pytest.mark.parametrize("path", ["/v1", "/plain/v1"])
def test_prompt_errors_are_worded_as_the_contract_says(
    client: FlaskClient, path: str, body: dict[str, Any], message: str
) -> None:
    response = prompt(client, f"{path}/chat/completions", **body)
    assert response.status_code == 400
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.text == f'data: {{"error":"{message}","code":400}}\n\n'


@pytest.mark.parametrize("data", [b"", b"nope", b'{"prompt"'])
def test_a_body_without_json_is_refused_as_the_contract_of_plain_says(
    client: FlaskClient, data: bytes
) -> None:
    response = client.post("/plain/v1/chat/completions", data=data)
    assert response.status_code == 400
    assert response.text == 'data: {"error":"No JSON body provided","code":400}\n\n'


def test_a_prompt_of_the_maximum_length_is_accepted(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    answers(upstream, *GREETING)
    assert prompt(client, prompt="a" * 5000, stream=True).status_code == 200


# Bad input.


@pytest.mark.parametrize(
    ("data", "param", "sentence"),
    [
        (b"", None, "The body is not valid JSON"),
        (b'{"messages": [', None, "The body is not valid JSON"),
        (b"\xff\xfe", None, "The body is not valid JSON"),
        (b'{"messages": "\xff"}', None, "The body is not valid JSON"),
        (b"[" * 100_000, None, "The body is nested too deeply"),
        (b'{"a":' * 100_000, None, "The body is nested too deeply"),
        *(
            (b'{"messages": [{"role": "user"}], "x": %s}' % (b"[" * n + b"]" * n), None, "nested")
            for n in (985, 990, 2000)
        ),
        (b"[]", None, "The body must be a JSON object"),
        (b"null", None, "The body must be a JSON object"),
        (b'"hi"', None, "The body must be a JSON object"),
        (b"{}", "messages", "messages must hold at least one message"),
        (b'{"messages": []}', "messages", "messages must hold at least one message"),
        (b'{"messages": null}', "messages", "messages must hold at least one message"),
        (b'{"messages": "hi"}', "messages", "messages: expected `array"),
        (b'{"messages": [1]}', "messages[0]", "messages[0]: expected `object`"),
        (b'{"messages": [{}]}', "messages[0]", "missing required field `role`"),
        (b'{"messages": [{"role": 1}]}', "messages[0].role", "expected `str`"),
        (b'{"messages": [{"role": "user", "content": 1}]}', "messages[0].content", "expected"),
        (b'{"messages": [{"role": "user", "content": [1]}]}', "messages[0].content[0]", "expected"),
        (b'{"messages": [{"role": "user"}]}', "messages[0].content", "it is required"),
        (b'{"messages": [{"role": "system"}, 1]}', "messages[1]", "expected `object`"),
        (b'{"messages": [{"role": "user"}], "stream": "yes"}', "stream", "expected `bool"),
        (b'{"messages": [{"role": "user"}], "model": 1}', "model", "expected `str"),
        (b'{"messages": [{"role": "user"}], "n": 2, "stream": true}', "n", "n must be 1"),
        (b'{"messages": [{"role": "user"}], "n": 0}', "n", "n must be between 1 and 8"),
        (b'{"messages": [{"role": "user"}], "n": 129}', "n", "n must be between 1 and 8"),
        (b'{"messages": [{"role": "user"}], "stream_options": 1}', "stream_options", "expected"),
        (b'{"messages": [{"role": "user"}], "prompt": "a"}', "prompt", "not both"),
        (b'{"messages": [{"role": "user"}], "gateway": 1}', "gateway", "expected `object"),
        (
            b'{"messages": [{"role": "user"}], "gateway": {"format": "xml"}}',
            "gateway.format",
            "'xml' is not one of phased, events, openai, plain",
        ),
        (
            b'{"messages": [{"role": "user"}], "gateway": {"fromat": "events"}}',
            "gateway.fromat",
            "unknown key",
        ),
        (
            b'{"messages": [{"role": "user"}], "gateway": {"starts_inside": "no"}}',
            "gateway.starts_inside",
            "expected `bool",
        ),
    ],
)
def test_bad_input_gets_400_with_the_path_of_the_fault(
    client: FlaskClient, data: bytes, param: str | None, sentence: str
) -> None:
    response = client.post("/v1/chat/completions", data=data, content_type="application/json")
    error = response.get_json()["error"]
    assert response.status_code == 400
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert sentence in error["message"]
    assert error["message"].endswith(".")


def test_a_body_over_the_limit_is_refused(make_client: Callable[..., FlaskClient]) -> None:
    response = ask(make_client(max_body_bytes=100), padding="a" * 200)
    assert response.status_code == 413
    assert response.get_json()["error"]["code"] == "body_too_large"


def test_another_content_type_is_refused(client: FlaskClient) -> None:
    response = client.post("/v1/chat/completions", data={"messages": "hi"})
    assert response.status_code == 415


def test_unknown_paths_and_methods_are_refused(client: FlaskClient) -> None:
    assert client.get("/nope").get_json()["error"]["code"] == "not_found"
    assert client.post("/html/v1/chat/completions", json={}).status_code == 404
    response = client.get("/v1/chat/completions")
    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]
    assert response.get_json()["error"]["code"] == "method_not_allowed"


def test_every_response_has_a_request_id_and_every_error_the_form_of_its_path(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    for path in ("/nope", "/plain/v1/nope", "/health", "/"):
        assert uuid.UUID(client.get(path).headers["request-id"])
    refusal = client.get("/plain/v1/chat/completions")
    assert refusal.status_code == 405
    assert refusal.text.startswith('data: {"error":"This path does not know this method')


def test_an_unexpected_error_is_a_500_without_internals(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, Any]]
) -> None:
    def explode(*_: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("gateway.relay.turns.prompt_of", explode)
    client.application.testing = False
    response = ask(client)
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "secret" in repr(logged[-1]["exc_info"])
    plain = ask(client, "/plain/v1/chat/completions")
    assert plain.text.startswith('data: {"error":"Server error: ')
    assert "secret" not in plain.text


# Upstreams that refuse.


def failure(response: Any) -> dict[str, Any]:
    """The error object of a refusal, or the one in a stream."""
    if response.mimetype == "application/json":
        return response.get_json()["error"]
    found = [d["error"] for _, d in events(response) if isinstance(d, dict) and "error" in d]
    assert len(found) == 1
    return found[0]


REFUSALS = [
    (400, 400, "invalid_request_error"),
    (404, 404, "invalid_request_error"),
    (422, 422, "invalid_request_error"),
    (429, 429, "rate_limit_error"),
    (401, 424, "upstream_error"),
    (403, 424, "upstream_error"),
    (500, 502, "upstream_error"),
    (503, 502, "upstream_error"),
    (302, 502, "upstream_error"),
]


@pytest.mark.parametrize(("status", "expected", "type"), REFUSALS)
def test_a_refusal_is_a_status_in_openai_and_in_non_streamed_answers(
    client: FlaskClient, upstream: responses.RequestsMock, status: int, expected: int, type: str
) -> None:
    upstream.post(
        COMPLETIONS,
        status=status,
        json={"error": {"message": "The upstream refused.", "code": "x"}},
        headers={"Retry-After": "7", "Location": "http://elsewhere.test/"},
    )
    for options in ({"gateway": {"format": "openai"}}, {"stream": False}):
        response = ask(client, **options)
        assert response.status_code == expected
        assert failure(response)["type"] == type
        if status in (400, 404, 422, 429, 500, 503):
            assert failure(response)["message"] == "The upstream refused."
        if status in (429, 503):
            assert response.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    "after", ["9" * 5000, "Sat, 21 Nov 2026 19:00:00 +99999999999999999999", "-1", "soon", ""]
)
def test_an_invalid_retry_after_is_dropped(
    client: FlaskClient, upstream: responses.RequestsMock, after: str
) -> None:
    headers = {"Retry-After": after, "Date": "Sat, 21 Nov 2026 19:00:00 GMT"}
    upstream.post(COMPLETIONS, status=429, json={"error": "Slowly."}, headers=headers)
    response = ask(client, stream=False)
    assert (response.status_code, failure(response)["message"]) == (429, "Slowly.")
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize("format", ["phased", "events", "plain"])
@pytest.mark.parametrize(("status", "expected", "type"), REFUSALS)
def test_a_refusal_is_an_error_in_the_stream_in_the_other_formats(
    client: FlaskClient,
    upstream: responses.RequestsMock,
    format: str,
    status: int,
    expected: int,
    type: str,
) -> None:
    upstream.post(COMPLETIONS, status=status, json={"error": {"message": "The upstream refused."}})
    response = ask(client, gateway={"format": format})
    assert response.status_code == 200
    error = failure(response)
    if format == "plain":
        [(_, data)] = events(response)
        assert data["code"] == expected
    else:
        assert error["type"] == type
        assert "hi" in response.text, "the prompt summary came first"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (requests.ConnectionError("refused: http://upstream.test"), 502, "upstream_unreachable"),
        (requests.ConnectTimeout(), 504, "upstream_connect_timeout"),
        (requests.ReadTimeout(), 504, "upstream_first_byte_timeout"),
        (requests.exceptions.InvalidURL(), 502, "upstream_unreachable"),
    ],
)
def test_an_unreachable_upstream_is_reported_with_its_address_and_without_its_login(
    make_client: Callable[..., FlaskClient],
    upstream: responses.RequestsMock,
    error: Exception,
    status: int,
    code: str,
) -> None:
    server = UpstreamConfig(name="a", url="http://u:pw@upstream.test/v1")
    upstream.post("http://u:pw@upstream.test/v1/chat/completions", body=error)
    client = make_client(upstreams=(server,))
    response = ask(client, gateway={"format": "openai"})
    assert (response.status_code, failure(response)["code"]) == (status, code)
    assert "The upstream at http://upstream.test " in failure(response)["message"]
    assert "pw" not in response.text


def test_the_upstreams_key_is_redacted(
    make_client: Callable[..., FlaskClient],
    upstream: responses.RequestsMock,
    logged: list[dict[str, Any]],
) -> None:
    message = "Incorrect key sk-secret provided"
    upstream.post(COMPLETIONS, status=400, json={"error": {"message": message}})
    response = ask(make_client(upstream_api_key="sk-secret"), stream=False)
    assert failure(response)["message"] == "Incorrect key … provided"
    assert "sk-secret" not in repr(logged)


@pytest.mark.parametrize("body", ["", "<html>502</html>", "[1]", "null", '"x"', '{"error": 1}'])
def test_a_refusal_with_any_body_is_answered(
    client: FlaskClient, upstream: responses.RequestsMock, body: str
) -> None:
    upstream.post(COMPLETIONS, status=500, body=body)
    response = ask(client, stream=False)
    assert response.status_code == 502
    assert failure(response)["message"]


@pytest.mark.parametrize("format", ["phased", "events", "openai", "plain"])
def test_a_truncated_stream_never_looks_complete(
    client: FlaskClient, upstream: responses.RequestsMock, format: str
) -> None:
    answers(upstream, *contents("<think>a</think>", "Hi"))
    response = ask(client, gateway={"format": format})
    assert "Hi" in response.text
    assert "ended before its answer" in json.dumps(failure(response))
    assert 'finish_reason":"' not in response.text
    assert ask(client, stream=False).status_code == 502


CALL_BEGINS = {"index": 0, "id": "c", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("frames", "model_ran"),
    [
        ([], False),
        ([{"choices": [{"index": 0, "delta": {"role": "assistant"}}]}], False),
        ([{"choices": [{"index": 0, "delta": {"reasoning_content": "I "}}]}], True),
        (contents("Hi"), True),
        ([{"choices": [{"index": 0, "delta": {"tool_calls": [CALL_BEGINS]}}]}], True),
    ],
)
def test_clients_are_told_not_to_retry_once_the_model_has_run(
    client: FlaskClient, upstream: responses.RequestsMock, frames: list[Any], model_ran: bool
) -> None:
    answers(upstream, *frames)
    for options in ({}, {"n": 2}):
        response = ask(client, stream=False, **options)
        assert response.status_code == 502
        assert response.headers.get("x-should-retry") == ("false" if model_ran else None)
    assert "x-should-retry" not in ask(client, "/openai/v1/chat/completions").headers


@pytest.mark.parametrize("format", ["phased", "events", "plain"])
def test_a_stream_that_is_stopped_before_its_upstream_is_called_says_so(
    client: FlaskClient, upstream: responses.RequestsMock, format: str
) -> None:
    upstream.add_callback("POST", COMPLETIONS, lambda _: gevent.sleep(60))
    response = client.post(
        f"/{format}/v1/chat/completions", json={"messages": MESSAGES, "stream": True}
    )
    client.application.extensions["gateway.relay"].stop()
    with gevent.Timeout(5):
        assert "The gateway was stopped" in response.text
    assert client.get("/health").json["open_streams"] == 0


def test_a_malformed_tool_call_does_not_fail_the_request(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    pieces = ["x", None, {"name": "f"}, 5, {"arguments": "{}"}, []]
    calls = [{"tool_calls": [{"index": 0, "id": "c", "function": piece}]} for piece in pieces]
    answers(upstream, *[{"choices": [{"index": 0, "delta": call}]} for call in calls], FINISH)
    message = ask(client, stream=False).json["choices"][0]["message"]
    [call] = message["tool_calls"]
    assert call["function"] == {"name": "f", "arguments": "{}"}


def test_a_full_gateway_refuses_requests(
    make_client: Callable[..., FlaskClient], upstream: responses.RequestsMock
) -> None:
    client = make_client(max_streams=1)
    answers(upstream, *GREETING)
    first = client.post("/v1/chat/completions", json={"messages": MESSAGES, "stream": True})
    second = ask(client)
    assert second.status_code == 503
    assert second.headers["Retry-After"] == "1"
    first.close()
    assert ask(client).status_code == 200


def test_closing_an_unread_response_frees_its_slot(
    make_client: Callable[..., FlaskClient],
    upstream: responses.RequestsMock,
    logged: list[dict[str, Any]],
) -> None:
    client = make_client(max_streams=1)
    answers(upstream, *GREETING)
    for _ in range(3):
        response = client.post("/v1/chat/completions", json={"messages": MESSAGES, "stream": True})
        assert response.status_code == 200
        response.close()
    assert [line["end"] for line in logged] == ["left", "left", "left"]


# The log, the models, health.


def test_the_log_says_who_is_to_blame_for_a_failure(
    client: FlaskClient, upstream: responses.RequestsMock, logged: list[dict[str, Any]]
) -> None:
    answers(upstream, *contents("Hi"))
    assert ask(client).text
    upstream.replace(responses.POST, COMPLETIONS, status=500)
    assert ask(client, gateway={"format": "openai"}).status_code == 502
    upstream.replace(responses.POST, COMPLETIONS, status=422)
    assert ask(client, gateway={"format": "openai"}).status_code == 422
    assert [(line["end"], line["code"], line["blame"]) for line in logged] == [
        ("failed", "upstream_broke_off", "upstream"),
        ("refused", "upstream_refused", "upstream"),
        ("refused", "upstream_refused", "caller"),
    ]


def test_the_gateways_own_requests_have_a_uuid_as_their_request_id(
    client: FlaskClient, upstream: responses.RequestsMock
) -> None:
    upstream.get(f"{UPSTREAM}/models", json={"data": []})
    client.get("/v1/models")
    assert uuid.UUID(upstream.calls[0].request.headers["X-Request-Id"])


@pytest.mark.parametrize("path", ["/v1/models", "/openai/v1/models"])
def test_models_are_listed_with_their_family_and_upstream(
    client: FlaskClient, upstream: responses.RequestsMock, path: str
) -> None:
    data = [{"id": "qwen3-8b", "owned_by": "me"}, {"id": "x", "extra": 1}]
    upstream.get(f"{UPSTREAM}/models", json={"object": "list", "data": data})
    assert client.get(path).get_json() == {
        "object": "list",
        "data": [
            {
                "id": "qwen3-8b",
                "object": "model",
                "type": "model",
                "display_name": "qwen3-8b",
                "created": 0,
                "created_at": "1970-01-01T00:00:00Z",
                "owned_by": "me",
                "family": "think-tools",
                "unmarked_text": {"counts_as": "answer", "why": "family"},
                "upstream": "default",
                "server": UNKNOWN_SERVER,
            },
            {
                "id": "x",
                "object": "model",
                "type": "model",
                "display_name": "x",
                "created": 0,
                "created_at": "1970-01-01T00:00:00Z",
                "owned_by": "default",
                "family": "tags",
                "unmarked_text": {"counts_as": "answer", "why": "family"},
                "upstream": "default",
                "server": UNKNOWN_SERVER,
            },
        ],
        "first_id": "qwen3-8b",
        "last_id": "x",
        "has_more": False,
    }


@pytest.mark.parametrize("path", ["/v1/models/", "/openai/v1/models/"])
def test_one_model_can_be_asked_for(
    client: FlaskClient, upstream: responses.RequestsMock, path: str
) -> None:
    data = [{"id": "qwen3-8b"}, {"id": "Org/x y"}]
    upstream.get(f"{UPSTREAM}/models", json={"object": "list", "data": data})
    listed = client.get("/v1/models").get_json()["data"]
    assert client.get(f"{path}qwen3-8b").get_json() == listed[0]
    assert client.get(f"{path}Org/x%20y").get_json() == listed[1]
    missing = client.get(f"{path}gone")
    assert missing.status_code == 404
    assert missing.get_json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("answer", [{"status": 500}, {"body": "nope"}, {"json": {"data": [1]}}])
def test_listing_the_models_of_a_failing_upstream_is_a_502(
    client: FlaskClient, upstream: responses.RequestsMock, answer: dict[str, Any]
) -> None:
    upstream.get(f"{UPSTREAM}/models", **answer)
    assert client.get("/v1/models").status_code == 502


def test_a_draining_gateway_is_healthy_but_not_ready(client: FlaskClient) -> None:
    health = client.get("/health").get_json()
    assert health["status"] == "ok"
    assert client.get("/ready").status_code == 200
    client.application.extensions["gateway.relay"].draining = True
    assert client.get("/ready").status_code == 503
    assert client.get("/health").status_code == 200


def test_a_stopped_gateway_refuses_requests(client: FlaskClient) -> None:
    client.application.extensions["gateway.relay"].stop()
    refused = ask(client)
    assert refused.status_code == 503
    assert refused.get_json()["error"]["code"] == "gateway_draining"


def test_the_page_has_a_strict_content_security_policy(client: FlaskClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]


def test_a_long_name_of_a_model_is_refused(client: FlaskClient) -> None:
    """Every frame of the answer would repeat it."""
    body = {"model": "m" * 600, "max_tokens": 5, "stream": True}
    for path, prompt in (
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
        ("/v1/messages", {"messages": [{"role": "user", "content": "hi"}]}),
        ("/v1/responses", {"input": "hi"}),
    ):
        refused = client.post(path, json=body | prompt)
        assert refused.status_code == 400
        assert "512 characters" in refused.get_json()["error"]["message"]


@pytest.mark.parametrize("field", ["content", "reasoning_content", "refusal"])
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_without_end_fails(
    make_client: Callable[..., FlaskClient],
    upstream: responses.RequestsMock,
    field: str,
    stream: bool,
) -> None:
    long = [{"choices": [{"index": 0, "delta": {field: "word " * 100}}]}] * 300
    answers(upstream, *long)
    client = make_client(max_answer_bytes=10_000, breaker_failures=1)
    for _ in range(2):  # it is not the upstream that is ill
        answer = ask(client, stream=stream, gateway={"format": "events", "reasoning": "raw"})
        assert "upstream_answer_too_long" in answer.text
        assert "MAX_ANSWER_BYTES" in answer.text
        assert answer.status_code == (200 if stream else 502)
        assert len(answer.text) < 200_000
