"""Ollama's API: how its messages and options reach a model server, how its lines are spelled."""

import base64
import json
from typing import Any

import pytest

from gateway.apis import DIALECTS, Answer, ChatRequest
from gateway.apis.base import EndpointRequest, ReadyAnswer, ServedModel
from gateway.apis.kept import KeptAnswer
from gateway.apis.ollama.models import show, tags
from gateway.apis.ollama.request import read_chat, read_generate
from gateway.apis.ollama.stream import GENERATE
from gateway.config import Config
from gateway.core.events import (
    Done,
    Event,
    Extra,
    Failed,
    OutputDelta,
    PromptSummary,
    ReasoningDelta,
    ReasoningSummary,
    SummaryDelta,
    Timings,
    ToolCallDelta,
)
from gateway.errors import BadRequest, NotFound, StreamNotFound, UpstreamBroke

HI = {"role": "user", "content": "hi"}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n and so on").decode()
CALL = {"function": {"name": "get_weather", "arguments": {"city": "Rome"}}}
SENT_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Rome"}'},
}


def chat(**body: Any) -> ChatRequest:
    read = read_chat({"model": "m", "messages": [HI], **body}, None, Config())
    assert isinstance(read, ChatRequest)
    return read


def messages(*given: Any) -> list[Any]:
    sent: list[Any] = chat(messages=list(given)).body["messages"]
    return sent


def generate(**body: Any) -> ChatRequest | ReadyAnswer:
    return read_generate({"model": "m", "prompt": "hi", **body}, None, Config())


# --- Requests -------------------------------------------------------------------------------------


def test_a_request_streams_and_shows_summaries_unless_told_otherwise() -> None:
    asked = chat()
    assert (asked.stream, asked.options.reasoning) == (True, "summary")
    assert asked.body == {"model": "m", "messages": [HI]}
    assert chat(stream=None).stream
    assert not chat(stream=False).stream


@pytest.mark.parametrize(
    ("think", "sent", "mode"),
    [
        (True, {}, "summary"),
        (False, {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}, "none"),
        ("low", {"reasoning_effort": "low"}, "summary"),
        ("max", {"reasoning_effort": "high"}, "summary"),
    ],
)
def test_think_switches_the_thinking(think: Any, sent: dict[str, Any], mode: str) -> None:
    asked = chat(think=think)
    assert asked.body == {"model": "m", "messages": [HI], **sent}
    assert asked.options.reasoning == mode


def test_the_gateways_own_option_wins_over_think() -> None:
    asked = chat(think=False, gateway={"reasoning": "raw"})
    assert asked.options.reasoning == "raw"
    assert asked.body["chat_template_kwargs"]["enable_thinking"] is False


def test_another_value_of_think_is_refused_in_ollamas_words() -> None:
    with pytest.raises(BadRequest, match=r'invalid think value: "much" \(must be "high", "medium"'):
        chat(think="much")


def test_options_reach_the_model_server_by_its_names() -> None:
    options = {
        "temperature": 0.5,
        "top_k": 20,
        "repeat_penalty": 1.1,
        "num_predict": 7,
        "stop": ["\n"],
        "num_ctx": 4096,
        "mirostat": 2,
    }
    assert chat(options=options, keep_alive="5m").body == {
        "model": "m",
        "messages": [HI],
        "temperature": 0.5,
        "top_k": 20,
        "repetition_penalty": 1.1,
        "max_tokens": 7,
        "stop": ["\n"],
    }
    for no_limit in (-1, -2, 0, None):
        assert "max_tokens" not in chat(options={"num_predict": no_limit}).body


def test_a_format_is_a_response_format() -> None:
    assert chat(format="json").body["response_format"] == {"type": "json_object"}
    schema = {"type": "object", "properties": {}}
    assert chat(format=schema).body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "output", "schema": schema},
    }
    assert "response_format" not in chat(format="").body
    with pytest.raises(BadRequest, match="format"):
        chat(format="xml")


def test_an_image_is_sent_with_the_type_that_its_data_shows() -> None:
    [sent] = messages({**HI, "images": [PNG]})
    assert sent["content"] == [
        {"type": "text", "text": "hi"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
    ]


def test_what_is_no_image_is_refused_in_the_newest_message_and_told_in_the_history() -> None:
    text = base64.b64encode(b"a text").decode()
    with pytest.raises(BadRequest, match=r"messages\[0\].images\[0\]: it must be a PNG"):
        messages({**HI, "images": [text]})
    old, _ = messages({**HI, "images": [text]}, HI)
    assert old["content"][1] == {
        "type": "text",
        "text": "[image, 6 bytes: this model cannot read it]",
    }


@pytest.mark.parametrize(
    "names", [{"tool_name": "get_weather"}, {"tool_call_id": "call_1"}, {}], ids=str
)
def test_a_result_belongs_to_its_call_however_it_names_it(names: dict[str, str]) -> None:
    called = {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [CALL]}
    sent = messages(HI, called, {"role": "tool", "content": "Sunny.", **names}, HI)
    assert sent[1] == {"role": "assistant", "content": None, "tool_calls": [SENT_CALL]}
    assert sent[2] == {"role": "tool", "tool_call_id": "call_1", "content": "Sunny."}


def test_results_without_names_belong_to_the_calls_in_order() -> None:
    called = {"role": "assistant", "tool_calls": [CALL, {**CALL, "id": "mine"}]}
    result = {"role": "tool", "content": "Sunny."}
    sent = messages(HI, called, result, result, result)
    assert [m.get("tool_call_id") for m in sent[2:]] == ["call_1", "mine", None]
    assert sent[4] == {"role": "user", "content": "[tool result]\nSunny."}


def test_only_the_newest_message_of_the_user_is_refused_for_its_form() -> None:
    odd = [7, {}, {"role": "robot"}, {"role": "user", "content": 7}, {"role": "assistant"}]
    assert messages(*odd, HI)[-1] == HI
    with pytest.raises(BadRequest) as raised:
        messages(HI, {"role": "user", "content": 7})
    assert raised.value.param == "messages[1].content"
    with pytest.raises(BadRequest, match=r"messages\[0\].role"):
        messages({"role": "robot", "content": "hi"})


def test_a_role_may_be_in_capitals() -> None:
    assert messages({"role": "User", "content": "hi"}) == [HI]


def test_a_text_is_a_chat_of_one_message() -> None:
    asked = generate(system="Be short.", images=[PNG])
    assert isinstance(asked, ChatRequest)
    system, user = asked.body["messages"]
    assert system == {"role": "system", "content": "Be short."}
    assert [part["type"] for part in user["content"]] == ["text", "image_url"]


@pytest.mark.parametrize("member", [{"suffix": "b"}, {"raw": True}, {"template": "t"}])
def test_a_prompt_that_the_client_builds_is_refused(member: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="the model server builds the prompt"):
        generate(**member)


def test_a_request_without_a_prompt_loads_the_model() -> None:
    loaded = read_chat({"model": "m", "messages": []}, None, Config())
    assert isinstance(loaded, ReadyAnswer)
    assert loaded.body(7) == {
        **HEAD,
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "load",
    }
    unloaded = generate(prompt="", keep_alive=0)
    assert isinstance(unloaded, ReadyAnswer)
    assert unloaded.body(7) == {**HEAD, "response": "", "done": True, "done_reason": "unload"}


def test_a_model_is_required() -> None:
    with pytest.raises(BadRequest, match="model is required"):
        read_chat({"messages": [HI]}, None, Config())


# --- Answers --------------------------------------------------------------------------------------

TURN: list[Event] = [
    PromptSummary("What is 2+2?", 1),
    SummaryDelta("I add."),
    ReasoningSummary("I add. It is 4.", "It is 4."),
    OutputDelta("Four\u2028."),
    Done("stop", {"prompt_tokens": 9, "completion_tokens": 5}, Timings(1, 20, 30, 40, 50)),
]
HEAD = {"model": "m", "created_at": "1970-01-01T00:00:07Z"}
END = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 50_000_000,
    "load_duration": 0,
    "prompt_eval_count": 9,
    "prompt_eval_duration": 20_000_000,
    "eval_count": 5,
    "eval_duration": 30_000_000,
}


def answer(**options: Any) -> Answer:
    return Answer(id="a", model="m", created=7, **options)


def lines(events: list[Event], **options: Any) -> list[Any]:
    stream = DIALECTS["ollama"](answer(**options)).encode(1, events)
    return [json.loads(line) for line in stream.decode("ascii").splitlines()]


def whole(events: list[Event], **options: Any) -> dict[str, Any]:
    collector = DIALECTS["ollama"].non_streamed(answer(**options))
    collector.add(events)
    return collector.body()


def test_a_chat_is_lines_of_whole_messages() -> None:
    def line(**members: str) -> dict[str, Any]:
        message = {"role": "assistant", "content": "", **members}
        return {**HEAD, "message": message, "done": False}

    assert lines(TURN) == [
        line(thinking="What is 2+2?\n\n"),
        line(thinking="I add.\n\n"),
        line(thinking="It is 4.\n\n"),
        line(content="Four\u2028."),
        {**HEAD, "message": {"role": "assistant", "content": ""}, **END},
    ]


def test_a_text_is_lines_with_a_response() -> None:
    first, *_, text, end = lines(TURN, echo={GENERATE: True})
    assert first == {**HEAD, "response": "", "thinking": "What is 2+2?\n\n", "done": False}
    assert text == {**HEAD, "response": "Four\u2028.", "done": False}
    assert end == {**HEAD, "response": "", **END}


def test_a_heartbeat_is_a_line_without_text() -> None:
    assert json.loads(DIALECTS["ollama"](answer()).heartbeat(7)) == {
        **HEAD,
        "message": {"role": "assistant", "content": ""},
        "done": False,
    }
    beat = DIALECTS["ollama"](answer(echo={GENERATE: True})).heartbeat(7)
    assert json.loads(beat) == {**HEAD, "response": "", "done": False}


def test_a_non_streamed_answer_is_the_last_line_with_everything_in_it() -> None:
    thinking = "What is 2+2?\n\nI add.\n\nIt is 4.\n\n"
    message = {"role": "assistant", "content": "Four\u2028.", "thinking": thinking}
    assert whole(TURN) == {**HEAD, "message": message, **END}
    text = whole(TURN, echo={GENERATE: True})
    assert text == {**HEAD, "response": "Four\u2028.", "thinking": thinking, **END}


def test_no_thinking_is_shown_where_none_is_wanted() -> None:
    events = [TURN[0], *TURN[3:]]
    assert not any("thinking" in line["message"] for line in lines(events, reasoning="none"))
    assert "thinking" not in whole(events, reasoning="none")["message"]


def test_both_has_the_trace_in_thinking_and_the_summary_beside_it() -> None:
    message = whole([ReasoningDelta("Hm."), *TURN[1:]], reasoning="both")["message"]
    assert (message["thinking"], message["reasoning_summary"]) == ("Hm.", "I add.\n\nIt is 4.\n\n")


def call(index: int, arguments: str, **members: Any) -> ToolCallDelta:
    return ToolCallDelta({"index": index, "function": {"arguments": arguments, **members}})


def test_tool_calls_are_whole_and_their_arguments_objects() -> None:
    events = [
        ToolCallDelta({"index": 0, "id": "x", "function": {"name": "f", "arguments": '{"a"'}}),
        call(1, "", name="g"),
        call(0, ":1}"),
        Done("tool_calls", None, Timings()),
    ]
    calls = [
        {"id": "x", "function": {"index": 0, "name": "f", "arguments": {"a": 1}}},
        {"id": "call_a_1", "function": {"index": 1, "name": "g", "arguments": {}}},
    ]
    with_calls, end = lines(events)
    assert with_calls["message"] == {"role": "assistant", "content": "", "tool_calls": calls}
    assert (with_calls["done"], end["done"], end["done_reason"]) == (False, True, "stop")
    assert whole(events)["message"]["tool_calls"] == calls


def test_a_call_that_a_limit_or_an_error_cut_is_not_sent() -> None:
    cut = call(0, '{"a"', name="f")
    [end] = lines([cut, Done("length", None, Timings())])
    assert end["done_reason"] == "length"
    assert lines([cut, Failed(UpstreamBroke("It broke off.").info, Timings())]) == [
        {"error": "It broke off."}
    ]


def test_a_call_in_openais_old_form_is_a_tool_call() -> None:
    events: list[Event] = [
        Extra({"function_call": {"name": "f", "arguments": '{"a"'}}),
        Extra({"function_call": {"arguments": ":1}"}}),
        Done("function_call", None, Timings()),
    ]
    function = {"index": 0, "name": "f", "arguments": {"a": 1}}
    calls = [{"id": "call_a_0", "function": function}]
    assert lines(events, echo={"tools": True})[0]["message"]["tool_calls"] == calls
    assert whole(events, echo={"tools": True})["message"]["tool_calls"] == calls
    assert "tool_calls" not in whole(events)["message"]  # a request without tools wants no calls
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert chat(tools=tools).echo == {"tools": True}


def test_logprobs_are_beside_the_message() -> None:
    logprob = {"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}
    events = [Extra({}, choice={"logprobs": {"content": [logprob]}}), TURN[-1]]
    assert lines(events)[0]["logprobs"] == [logprob]
    assert whole(events)["logprobs"] == [logprob]


def test_a_refusal_of_the_model_is_the_answer() -> None:
    assert lines([Extra({"refusal": "No."})])[0]["message"]["content"] == "No."


# --- Models ---------------------------------------------------------------------------------------

MODELS = [ServedModel("Qwen/Qwen3-8B", "Qwen/Qwen3-8B"), ServedModel("fast:8b", "7b")]


class NothingKept:
    def find(self, id: str) -> KeptAnswer:
        raise StreamNotFound(id)

    stop = find

    def forget(self, id: str) -> None:
        raise StreamNotFound(id)


def asked_for(body: dict[str, object]) -> EndpointRequest:
    return EndpointRequest(body=body, segments={}, answers=NothingKept(), models=MODELS)


def test_models_are_listed_with_a_tag() -> None:
    listed = tags(asked_for({}))["models"]
    assert [model["name"] for model in listed] == ["Qwen/Qwen3-8B:latest", "fast:8b"]
    assert [model["details"]["family"] for model in listed] == ["qwen3", "unknown"]


@pytest.mark.parametrize("name", ["Qwen/Qwen3-8B", "Qwen/Qwen3-8B:latest"])
@pytest.mark.parametrize("member", ["model", "name"])
def test_a_model_is_shown_by_both_its_names(member: str, name: str) -> None:
    shown = show(asked_for({member: name}))
    assert shown["model_info"]["general.architecture"] == "qwen3"
    assert "thinking" in shown["capabilities"]


def test_a_model_that_is_not_there_is_not_shown() -> None:
    with pytest.raises(NotFound, match="model 'none' not found"):
        show(asked_for({"model": "none"}))
    with pytest.raises(BadRequest):
        show(asked_for({}))


def test_the_message_about_an_unknown_model_repeats_only_the_begin_of_a_long_name() -> None:
    with pytest.raises(NotFound) as raised:
        show(asked_for({"model": "n" * 1_000_000}))
    assert len(raised.value.message) < 300
