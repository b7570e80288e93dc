"""The page's SSE parser and its format adapters, called in the browser."""

import json

import pytest

EVERY_CUT = """async ([text, expected]) => {
    const { SSEParser } = await import("/static/any/sse.js");
    const wrong = [];
    const check = (...pieces) => {
        const parser = new SSEParser();
        const events = pieces.flatMap((piece) => parser.feed(piece));
        const found = JSON.stringify(
            events.map(({ event, data, id, comment }) => comment ?? [event, data, id]));
        if (found !== JSON.stringify(expected)) wrong.push([pieces, found]);
    };
    check(text);
    check(...text);
    check(...text.split(""));
    for (let i = 0; i <= text.length; i += 1) {
        check(text.slice(0, i), text.slice(i));
        for (let j = i; j <= text.length; j += 1) {
            check(text.slice(0, i), text.slice(i, j), text.slice(j));
        }
    }
    return wrong.slice(0, 3);
}"""

STREAMS = {
    "one event": ("data: hi\n\n", [("message", "hi", "")]),
    "named, with an id": ("id: 7\nevent: done\ndata: {}\n\n", [("done", "{}", "7")]),
    "an id stays for later events, a name does not": (
        "id: 1\nevent: a\ndata: x\n\ndata: y\n\nid\ndata: z\n\n",
        [("a", "x", "1"), ("message", "y", "1"), ("message", "z", "")],
    ),
    "several data lines": ("data: a\ndata:\ndata:  b\n\n", [("message", "a\n\n b", "")]),
    "CRLF": (
        "event: a\r\ndata: x\r\ndata: y\r\n\r\ndata: z\r\n\r\n",
        [("a", "x\ny", ""), ("message", "z", "")],
    ),
    "CR": ("data: x\rdata: y\r\rdata: z\r\r", [("message", "x\ny", ""), ("message", "z", "")]),
    "line ends of all kinds": (
        "data: x\r\n\ndata: y\n\r\ndata: z\r\r\n",
        [("message", "x", ""), ("message", "y", ""), ("message", "z", "")],
    ),
    "comments": (
        ": ping\n\n:\ndata: x\n: pong\ndata: y\n\n",
        ["ping", "", "pong", ("message", "x\ny", "")],
    ),
    "no space after the colon": ("data:x\n\ndata\n\n", [("message", "x", ""), ("message", "", "")]),
    "a name without data is no event": ("event: a\n\ndata: x\n\n", [("message", "x", "")]),
    "unknown fields": ("retry: 10\nfoo: bar\ndata: x\n\n", [("message", "x", "")]),
    "an id with a null is ignored": ("id: a\0b\ndata: x\n\n", [("message", "x", "")]),
    "a byte order mark": ("\ufeffdata: x\n\n", [("message", "x", "")]),
    "an incomplete event": ("data: x\n\ndata: y\n", [("message", "x", "")]),
    "text beyond the basic multilingual plane": (
        "data: é👍🏽\u2028你\n\n",
        [("message", "é👍🏽\u2028你", "")],
    ),
}


@pytest.mark.parametrize("name", STREAMS)
def test_the_events_do_not_depend_on_how_the_text_is_cut(page, name):
    text, events = STREAMS[name]
    assert page.evaluate(EVERY_CUT, [text, events]) == []


ADAPT = """async ([format, reasoning, events]) => {
    const { adapterFor } = await import("/static/any/formats.js");
    return events.flatMap(adapterFor(format, reasoning));
}"""


def named(event, /, **data):
    return {"event": event, "data": json.dumps(data)}


def chunk(phase=None, finish_reason=None, **delta):
    data = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}
    return {"event": "message", "data": json.dumps(data | ({"phase": phase} if phase else {}))}


END = {"event": "message", "data": "[DONE]"}


def both(text):
    return {"reasoning_content": text, "reasoning": text}


CALL = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
CALL_STEP = {"kind": "tool_call_delta", "index": 0, "name": "f", "text": "{}"}


def text_step(kind, text):
    return {"kind": kind, "text": text}


def done(finish_reason="stop"):
    return {"kind": "done", "finishReason": finish_reason}


FORMATS = {
    "events": (
        "events",
        "both",
        [
            named("prompt_summary", text="p", ttft_ms=1),
            named("reasoning_delta", text="r"),
            named("reasoning_summary_delta", text="one"),
            named("reasoning_summary_delta", text="two\n"),
            named("reasoning_summary", text="s"),
            named("heartbeat", elapsed_ms=15000),
            named("final_output_delta", text="a"),
            named("tool_call_delta", index=0, id="c", name="f", arguments="{}"),
            named("something_new", text="?"),
            named("done", finish_reason="stop", usage=None),
        ],
        [
            text_step("prompt_summary", "p"),
            text_step("reasoning_delta", "r"),
            text_step("reasoning_summary_delta", "one\n"),
            text_step("reasoning_summary_delta", "two\n"),
            text_step("reasoning_summary", "s"),
            {"kind": "heartbeat"},
            text_step("final_output_delta", "a"),
            CALL_STEP,
            done(),
        ],
    ),
    "phased": (
        "phased",
        "both",
        [
            chunk("prompt_summary"),
            chunk("prompt_summary", role="assistant", content="[Prompt Summary] p\n\n"),
            chunk("reasoning", reasoning_content="r"),
            chunk("reasoning_summary"),
            chunk("reasoning_summary", content="[Reasoning Summary] one\n"),
            chunk("reasoning_summary", content="two\n"),
            chunk("reasoning_summary", content="\n"),
            chunk("final_output", content="[Prompt Summary] is a label"),
            chunk("final_output", tool_calls=[CALL]),
            chunk("final_output", finish_reason="length"),
            {"event": "message", "data": '{"choices":[],"usage":{"completion_tokens":3}}'},
            {"comment": "ping"},
            END,
        ],
        [
            text_step("prompt_summary", "p\n\n"),
            text_step("reasoning_delta", "r"),
            text_step("reasoning_summary_delta", "one\n"),
            text_step("reasoning_summary_delta", "two\n"),
            text_step("final_output_delta", "[Prompt Summary] is a label"),
            CALL_STEP,
            {"kind": "usage", "usage": {"completion_tokens": 3}},
            {"kind": "heartbeat"},
            done("length"),
        ],
    ),
    "phased, its labels in pieces": (
        "phased",
        "summary",
        [
            chunk("prompt_summary", content="[Prompt"),
            chunk("prompt_summary", content=" Summary] "),
            chunk("prompt_summary", content="p"),
            chunk("reasoning_summary", content="[Reason"),
            chunk("reasoning_summary", content=" why"),
        ],
        [
            text_step("prompt_summary", "p"),
            text_step("reasoning_summary_delta", "[Reason why"),
        ],
    ),
    "openai": (
        "openai",
        "summary",
        [
            chunk("prompt_summary", role="assistant", content=""),
            chunk("prompt_summary", **both("p\n\n")),
            chunk("reasoning_summary", **both("one\n\n")),
            chunk("reasoning_summary", reasoning="two\n\n"),
            chunk("final_output", content="a"),
            chunk("final_output", finish_reason="stop"),
            END,
        ],
        [
            text_step("prompt_summary", "p\n\n"),
            text_step("reasoning_summary_delta", "one\n"),
            text_step("reasoning_summary_delta", "two\n"),
            text_step("final_output_delta", "a"),
            done(),
        ],
    ),
    "openai, both": (
        "openai",
        "both",
        [
            chunk("prompt_summary", **both("p\n\n")),
            chunk("reasoning", **both("r\n\n")),
            chunk("reasoning_summary", reasoning_summary="s\n\n"),
            chunk("final_output", content="a", tool_calls=[CALL]),
            END,
        ],
        [
            text_step("prompt_summary", "p\n\n"),
            text_step("reasoning_delta", "r\n\n"),
            text_step("reasoning_summary_delta", "s\n"),
            text_step("final_output_delta", "a"),
            CALL_STEP,
            done(None),
        ],
    ),
    "plain": (
        "plain",
        "summary",
        [chunk(content="a"), chunk(content="b"), END],
        [text_step("final_output_delta", "a"), text_step("final_output_delta", "b"), done(None)],
    ),
    "an error as a string": (
        "plain",
        "summary",
        [{"event": "message", "data": '{"error":"Prompt cannot be empty","code":400}'}],
        [{"kind": "failed", "message": "Prompt cannot be empty", "code": None}],
    ),
    "an error as an object": (
        "phased",
        "summary",
        [{"event": "message", "data": '{"error":{"message":"Broken.","code":null}}'}],
        [{"kind": "failed", "message": "Broken.", "code": None}],
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_steps_of_a_format(page, name):
    format_, reasoning, events, steps = FORMATS[name]
    assert page.evaluate(ADAPT, [format_, reasoning, events]) == steps


def test_large_numbers_have_thousands_separators(page):
    shown = page.evaluate(
        """async (numbers) => {
            const { count } = await import("/static/any/units.js");
            return numbers.map((number) => count(number, "token"));
        }""",
        [0, 1, 999, 1000, 12345, 1234567],
    )
    assert shown == [
        *("0 tokens", "1 token", "999 tokens"),
        *("1,000 tokens", "12,345 tokens", "1,234,567 tokens"),
    ]
