"""Tool calls are kept apart, however servers number them."""

import json
from typing import Any

import pytest

from gateway.apis import DIALECTS, Answer
from gateway.core.events import ToolCallDelta
from tests.core.scripted import DONE, delta, finish, lines, make_turn, run


def call_delta(index: Any, id: str | None, name: str | None, arguments: str) -> dict[str, Any]:
    """An item of a `tool_calls` list. A member that is None is left out."""
    function = {"name": name, "arguments": arguments}
    item = {"index": index, "id": id, "function": {k: v for k, v in function.items() if v}}
    return {k: v for k, v in item.items() if v is not None}


def deltas_out(*deltas: dict[str, Any], one_read: bool) -> list[dict[str, Any]]:
    """The deltas of the turn's events, for deltas that arrive in one read or in one read each."""
    reads = [lines(delta(tool_calls=[item])) for item in deltas]
    reads.append(lines(finish("tool_calls"), DONE))
    events = run(make_turn(), *([[line for read in reads for line in read]] if one_read else reads))
    return [event.call for event in events if isinstance(event, ToolCallDelta)]


def calls_out(*deltas: dict[str, Any], one_read: bool) -> list[tuple[str, str]]:
    """The name and arguments of each call, put together by index as a client does."""
    calls: dict[int, tuple[str, str]] = {}
    for item in deltas_out(*deltas, one_read=one_read):
        name, arguments = calls.get(item["index"], ("", ""))
        name += item["function"].get("name", "")
        calls[item["index"]] = (name, arguments + item["function"].get("arguments", ""))
    assert list(calls) == list(range(len(calls))), "indexes count from 0, in order"
    return list(calls.values())


TWO = [("f", '{"a":1}'), ("g", '{"b":2}')]


@pytest.mark.parametrize(
    "deltas",
    [
        # As specified, one call after the other and interleaved.
        [
            call_delta(0, "x", "f", '{"a":'),
            call_delta(0, None, None, "1}"),
            call_delta(1, "y", "g", '{"b":'),
            call_delta(1, None, None, "2}"),
        ],
        [
            call_delta(0, "x", "f", '{"a":'),
            call_delta(1, "y", "g", '{"b":'),
            call_delta(0, None, None, "1}"),
            call_delta(1, None, None, "2}"),
        ],
        # Counted from 1.
        [call_delta(1, "x", "f", '{"a":1}'), call_delta(2, "y", "g", '{"b":2}')],
        # Without an index: a name begins a call, and an id continues one.
        [
            call_delta(None, "x", "f", '{"a":'),
            call_delta(None, "y", "g", '{"b":'),
            call_delta(None, "x", None, "1}"),
            call_delta(None, "y", None, "2}"),
        ],
        [
            call_delta(None, "x", "f", '{"a":'),
            call_delta(None, None, None, "1}"),
            call_delta(None, "y", "g", '{"b":2}'),
        ],
        [call_delta(None, None, "f", '{"a":1}'), call_delta(None, None, "g", '{"b":2}')],
        # The same index for all, with different ids.
        [
            call_delta(0, "x", "f", '{"a":1}'),
            call_delta(0, "y", "g", '{"b":'),
            call_delta(0, None, None, "2}"),
        ],
        # A new id for each delta.
        [
            call_delta(0, "x", "f", '{"a":'),
            call_delta(0, "u", None, "1}"),
            call_delta(1, "y", "g", '{"b":'),
            call_delta(1, "v", None, "2}"),
        ],
        # A new id for each delta, and the name again.
        [
            call_delta(0, "x", "f", '{"a":'),
            call_delta(0, "u", "f", "1}"),
            call_delta(1, "y", "g", '{"b":2}'),
        ],
        # The same index for all, or the same id, and nothing else that differs.
        [call_delta(0, None, "f", '{"a":1}'), call_delta(0, None, "g", '{"b":2}')],
        [call_delta(0, "x", "f", '{"a":1}'), call_delta(0, "x", "g", '{"b":2}')],
        [call_delta(None, "x", "f", '{"a":1}'), call_delta(None, "x", "g", '{"b":2}')],
        # The index as a text.
        [
            call_delta("0", "x", "f", '{"a":'),
            call_delta("1", "y", "g", '{"b":'),
            call_delta("0", None, None, "1}"),
            call_delta("1", None, None, "2}"),
        ],
    ],
)
@pytest.mark.parametrize("one_read", [True, False], ids=["one read", "a read each"])
def test_two_calls(deltas: list[dict[str, Any]], one_read: bool) -> None:
    assert calls_out(*deltas, one_read=one_read) == TWO


def test_a_delta_without_a_call_begins_one() -> None:
    assert calls_out(call_delta(None, None, None, "{}"), one_read=True) == [("", "{}")]


def test_arguments_from_one_read_are_joined_into_one_delta() -> None:
    begin = {"index": 0, "id": "x", "type": "function", "function": {"name": "f"}}
    again = {"index": 0, "id": None, "type": "function"}
    deltas = [{**again, "function": {"name": None, "arguments": text}} for text in '{"a":1}']
    whole = {**begin, "function": {"name": "f", "arguments": '{"a":1}'}}
    assert deltas_out(begin, *deltas, one_read=True) == [whole]
    assert len(deltas_out(begin, *deltas, one_read=False)) == 8


def test_deltas_with_other_members_are_not_joined() -> None:
    signed = {**call_delta(0, None, None, "}"), "extra_content": {"signature": "s"}}
    odd = [{"index": 0, "function": 1}, {"index": 0}]
    deltas = [call_delta(0, "x", "f", "{"), signed, *odd]
    assert deltas_out(*deltas, one_read=True) == deltas


# Every way in which servers send one call, in every format.

ID = {"index": 0, "id": "call_1", "type": "function"}
PIECES: dict[str, list[dict[str, Any]]] = {
    "the name in every delta": [
        {**ID, "function": {"name": "get_weather", "arguments": '{"a"'}},
        {**ID, "function": {"name": "get_weather", "arguments": ": 1"}},
        {**ID, "function": {"name": "get_weather", "arguments": "}"}},
    ],
    "the name in pieces": [
        {**ID, "function": {"name": "get_", "arguments": ""}},
        {"index": 0, "function": {"name": "weather", "arguments": '{"a": 1}'}},
    ],
    "empty members later": [
        {**ID, "function": {"name": "get_weather", "arguments": '{"a"'}},
        {"index": 0, "id": "", "type": "", "function": {"name": "", "arguments": ": 1}"}},
        {"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": None}},
    ],
    "the id later": [
        {"index": 0, "id": "", "function": {"name": "get_weather"}},
        {**ID, "function": {"arguments": '{"a": 1}'}},
    ],
    "the name so far in every delta": [
        {**ID, "function": {"name": "get", "arguments": ""}},
        {**ID, "function": {"name": "get_weather", "arguments": ""}},
        {**ID, "function": {"arguments": '{"a": 1}'}},
    ],
    "arguments before the name": [
        {**ID, "function": {"arguments": '{"a"'}},
        {"index": 0, "function": {"name": "get_weather", "arguments": ": 1}"}},
    ],
    "an empty object first": [
        {**ID, "function": {"name": "get_weather", "arguments": "{}"}},
        {"index": 0, "function": {"arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ": 1}"}},
    ],
    "an empty object first, as an object": [
        {**ID, "function": {"name": "get_weather", "arguments": {}}},
        {"index": 0, "function": {"arguments": '{"a": 1}'}},
    ],
    "all arguments once more": [
        {**ID, "function": {"name": "get_weather", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ": 1}"}},
        {**ID, "function": {"name": "get_weather", "arguments": '{"a": 1}'}},
    ],
    "without a function": [
        {"index": 0, "id": "call_1", "name": "get_weather", "arguments": {"a": 1}}
    ],
    "parameters": [{**ID, "function": {"name": "get_weather", "parameters": {"a": 1}}}],
    "empty calls": [
        {"index": 0, "id": "", "type": "", "function": {"name": "", "arguments": ""}},
        {},
        {**ID, "function": {"name": "get_weather", "arguments": '{"a": 1}'}},
    ],
    "arguments as an object": [{**ID, "function": {"name": "get_weather", "arguments": {"a": 1}}}],
}


TOOLS = {"tools": [{"type": "function", "name": "f"}]}


def frames_of(deltas: list[dict[str, Any]]) -> list[Any]:
    return [*(delta(tool_calls=[item]) for item in deltas), finish("tool_calls"), DONE]


def final(format: str, frames: list[Any], *, one_read: bool) -> dict[str, Any]:
    """Returns the non-streamed answer in this format."""
    reads = [lines(*frames)] if one_read else [lines(frame) for frame in frames]
    whole = DIALECTS[format].non_streamed(Answer(id="a", model="m", created=1, echo=TOOLS))
    whole.add(run(make_turn(), *reads))
    assert whole.error is None
    return whole.body()


@pytest.mark.parametrize("deltas", PIECES.values(), ids=list(PIECES))
@pytest.mark.parametrize("one_read", [True, False], ids=["one read", "a read each"])
def test_one_call_in_every_format(deltas: list[dict[str, Any]], one_read: bool) -> None:
    frames = frames_of(deltas)
    [choice] = final("openai", frames, one_read=one_read)["choices"]
    function = {"name": "get_weather", "arguments": '{"a": 1}'}
    assert choice["message"]["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": function}
    ]
    item = final("responses", frames, one_read=one_read)["output"][-1]
    assert (item["call_id"], item["name"], item["arguments"]) == ("call_1", *function.values())
    block = final("messages", frames, one_read=one_read)["content"][-1]
    assert (block["id"], block["name"], block["input"]) == ("call_1", "get_weather", {"a": 1})


CUSTOM = [
    {"index": 0, "id": "c", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}},
    {"index": 0, "custom": {"input": ' "x"\n'}},
]


def test_a_custom_call_keeps_its_input() -> None:
    frames = frames_of(CUSTOM)
    [call] = final("openai", frames, one_read=False)["choices"][0]["message"]["tool_calls"]
    assert call == {
        "id": "c",
        "type": "custom",
        "custom": {"name": "patch", "input": '*** Begin "x"\n'},
    }
    item = final("responses", frames, one_read=False)["output"][-1]
    assert (item["name"], json.loads(item["arguments"])) == ("patch", {"input": '*** Begin "x"\n'})
    block = final("messages", frames, one_read=False)["content"][-1]
    assert (block["name"], block["input"]) == ("patch", {"input": '*** Begin "x"\n'})


def test_a_call_of_the_old_kind_keeps_its_arguments() -> None:
    pieces = [{"name": "f", "arguments": '{"a"'}, {"arguments": ": 1}"}]
    frames = [*(delta(function_call=piece) for piece in pieces), finish("function_call"), DONE]
    message = final("openai", frames, one_read=False)["choices"][0]["message"]
    assert message["function_call"] == {"name": "f", "arguments": '{"a": 1}'}
    item = final("responses", frames, one_read=False)["output"][-1]
    assert (item["name"], item["arguments"]) == ("f", '{"a": 1}')
    block = final("messages", frames, one_read=False)["content"][-1]
    assert (block["name"], block["input"]) == ("f", {"a": 1})
    whole = [delta(function_call={"name": "f", "arguments": {"a": 1}}), finish("function_call")]
    message = final("openai", whole, one_read=True)["choices"][0]["message"]
    assert message["function_call"] == {"name": "f", "arguments": '{"a": 1}'}


@pytest.mark.parametrize(
    ("echo", "events"),
    [
        (
            {"functions": True},
            [
                ("function_call_delta", {"name": "f", "arguments": '{"a"'}),
                ("function_call_delta", {"arguments": ": 1}"}),
            ],
        ),
        (
            {},
            [
                ("tool_call_delta", {"index": 0, "name": "f", "arguments": '{"a"'}),
                ("tool_call_delta", {"index": 0, "arguments": ": 1}"}),
            ],
        ),
    ],
)
def test_in_events_a_call_of_the_old_kind_has_the_kind_of_the_request(
    echo: dict[str, Any], events: list[tuple[str, Any]]
) -> None:
    pieces = [{"name": "f", "arguments": '{"a"'}, {"arguments": ": 1}"}]
    frames = [*(delta(function_call=piece) for piece in pieces), finish("function_call"), DONE]
    turn = run(make_turn(), *(lines(frame) for frame in frames))
    dialect = DIALECTS["events"](Answer(id="a", model="m", created=1, echo=echo))
    blocks = dialect.encode(1, turn).decode().strip().split("\n\n")
    named = [block.split("\n")[1:] for block in blocks]
    found = [(n.removeprefix("event: "), json.loads(d.removeprefix("data: "))) for n, d in named]
    assert [event for event in found if "call" in event[0]] == events


def test_objects_in_pieces_are_merged_member_by_member() -> None:
    pieces = [
        {"id": "audio_1", "transcript": "Hi "},
        {"id": "audio_1", "transcript": "there", "data": "AA"},
        {"data": "BB", "expires_at": 7},
    ]
    frames = [*(delta(audio=piece) for piece in pieces), finish("stop"), DONE]
    message = final("openai", frames, one_read=False)["choices"][0]["message"]
    assert message["audio"] == {
        "id": "audio_1",
        "transcript": "Hi there",
        "data": "AABB",
        "expires_at": 7,
    }


def test_a_call_that_is_an_item_of_the_content_is_one() -> None:
    item = {"type": "tool_use", "id": "call_1", "name": "f", "input": {"a": 1}}
    frames = [delta(content=[{"type": "text", "text": "Hi"}, item]), finish("tool_calls"), DONE]
    [choice] = final("openai", frames, one_read=True)["choices"]
    assert choice["message"]["content"] == "Hi"
    assert choice["message"]["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    ]


def test_one_call_that_is_no_list_is_one() -> None:
    call = call_delta(0, "x", "f", "{}")
    frames = [delta(tool_calls=call), finish("tool_calls"), DONE]
    [choice] = final("openai", frames, one_read=True)["choices"]
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}


@pytest.mark.parametrize(
    ("arguments", "said"), [("{}", "{}"), ({}, "{}"), ("null", "null"), ("", ""), (None, "")]
)
def test_no_arguments_are_said_as_the_server_says_them(arguments: Any, said: str) -> None:
    call = {**ID, "function": {"name": "f", "arguments": arguments}}
    frames = [delta(tool_calls=[call]), finish("tool_calls"), DONE]
    [choice] = final("openai", frames, one_read=False)["choices"]
    assert choice["message"]["tool_calls"][0]["function"].get("arguments", "") == said


def test_empty_calls_beside_an_answer_are_no_calls() -> None:
    empty = {"index": 0, "id": "", "type": "function", "function": {"name": "", "arguments": ""}}
    frames = [delta(content="Hi", tool_calls=[empty]), delta(tool_calls=[{}]), finish("stop"), DONE]
    [choice] = final("openai", frames, one_read=True)["choices"]
    assert (choice["finish_reason"], choice["message"].get("tool_calls")) == ("stop", None)


def test_ids_and_types_are_said_once() -> None:
    deltas = [call_delta(0, id, "f", piece) for id, piece in (("x", "{"), ("x", ""), ("y", "}"))]
    found = deltas_out(*({**item, "type": "function"} for item in deltas), one_read=False)
    assert [(item.get("id"), item.get("type")) for item in found] == [
        ("x", "function"),
        (None, None),
        (None, None),
    ]


def test_an_end_without_a_finish_reason_in_the_middle_of_a_call_is_a_failure() -> None:
    call = delta(tool_calls=[call_delta(0, "x", "f", '{"a": "}')])
    failed = run(make_turn(), lines(call, DONE))[-1]
    assert failed.error.code == "upstream_broke_off"


def test_the_name_of_a_call_of_the_old_kind_is_said_once() -> None:
    pieces = [{"name": "f", "arguments": '{"a"'}, {"name": "f", "arguments": ": 1}"}]
    frames = [*(delta(function_call=piece) for piece in pieces), finish("function_call"), DONE]
    message = final("openai", frames, one_read=False)["choices"][0]["message"]
    assert message["function_call"] == {"name": "f", "arguments": '{"a": 1}'}


def test_a_call_of_both_kinds_is_one_call() -> None:
    function = {"name": "f", "arguments": '{"a": 1}'}
    both = delta(function_call=function, tool_calls=[{**ID, "function": function}])
    message = final("openai", [both, finish("stop"), DONE], one_read=True)["choices"][0]["message"]
    assert "function_call" not in message
    assert len(message["tool_calls"]) == 1
