"""The models: the table MODELS gives each its script. Data only."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from gateway.mock.errors import ErrorReply
from gateway.mock.faults import (
    add_garbage,
    cut_answer,
    cut_reasoning,
    cut_second_call,
    fail_in_stream,
    split_surrogates,
    with_crlf,
)
from gateway.mock.frames import Plan
from gateway.mock.replies import (
    edited_summary,
    invented_summary,
    long_reply,
    natural_reply,
    reasoning_only,
    reply_to,
    summary_reply,
    unicode_reply,
)
from gateway.mock.texts import Reply


class Markup(NamedTuple):
    """How a model marks its reasoning: by text around it, or by a separate key in the delta."""

    before: str = ""
    after: str = ""
    key: str = "content"


def tag(name: str) -> Markup:
    return Markup(f"<{name}>\n", f"\n</{name}>\n\n")


def unchanged_plan(plan: Plan) -> Plan:
    return plan


def unchanged_frame(data: bytes) -> bytes:
    return data


class Script(msgspec.Struct, frozen=True):
    """How one model behaves."""

    about: str
    reply: Callable[[str], Reply] = reply_to
    markup: Markup | None = tag("think")
    """None for a model that does not reason."""
    finish_reason: str = "stop"
    quirk: str = ""
    """How it fails to limit or to end the thinking; see gateway.mock.kinds."""
    playback: dict[str, Any] = {}
    """The model's own defaults for the settings of Playback."""
    tool_calls: int = 0
    """Number of tool calls in the answer."""
    steps: int = 0
    """How often a model for agents calls a tool that runs commands before it answers."""
    is_strict: bool = False
    """It refuses conversations that strict servers refuse."""
    wants_reasoning: bool = False
    """It also refuses conversations without the reasoning that came before a tool call."""
    fault: Callable[[Plan], Plan] = unchanged_plan
    """Changes the plan of a streamed body."""
    rewrite_frame: Callable[[bytes], bytes] = unchanged_frame
    """Changes the bytes of each frame."""
    never_streams: bool = False
    """It answers with plain JSON, also if a stream was requested."""
    page: str | None = None
    """A web page that is sent instead of an answer."""
    error: ErrorReply | None = None
    """An error that is sent instead of an answer."""


def thinker(quirk: str, about: str) -> Script:
    """A model that thinks for long, in a field of its own."""
    return Script(about, long_reply, Markup(key="reasoning_content"), quirk=quirk)


HTML = "<!doctype html><title>Sign in</title><h1>Please sign in</h1><p>This is not an API.</p>\n"
TOO_LONG = "This model's maximum context length is 8192 tokens. Please shorten the messages."
SERVER_ERROR = "The server had an error while processing your request."
RATE_LIMITED = "Rate limit reached. Please try again in 7s."

ERRORS = {
    400: ErrorReply(400, TOO_LONG, "context_length_exceeded", "messages"),
    401: ErrorReply(401, "Incorrect API key provided.", "invalid_api_key"),
    429: ErrorReply(
        429, RATE_LIMITED, "rate_limit_exceeded", type="requests", headers={"Retry-After": "7"}
    ),
    500: ErrorReply(500, SERVER_ERROR, type="server_error"),
}

MODELS: Mapping[str, Script] = {
    "default": Script("<think>…</think> in the content, then the answer"),
    "labelled": Script("delta.reasoning_content", markup=Markup(key="reasoning_content")),
    "labelled-reasoning": Script("delta.reasoning", markup=Markup(key="reasoning")),
    "starts-inside": Script("</think> alone", markup=Markup("", "\n</think>\n\n")),
    "no-reasoning": Script("the answer alone", markup=None),
    "tags-reasoning": Script("<reasoning>…</reasoning>", markup=tag("reasoning")),
    "tags-thinking": Script("<thinking>…</thinking>", markup=tag("thinking")),
    "mock-magistral": Script("[THINK]…[/THINK]", markup=Markup("[THINK]", "[/THINK]")),
    "mock-natural": Script("Let me think … Therefore, …", natural_reply, Markup("", "\n\n")),
    "long-thinking": Script("some hundred words of reasoning in several steps", long_reply),
    "thinker": thinker("", "the same, labelled; its thinking can be limited and ended"),
    "thinker-ignores-budget": thinker("ignores-budget", "… but takes no notice of a budget"),
    "thinker-refuses-budget": thinker("refuses-budget", "… but answers 400 to a budget"),
    "thinker-refuses-prefill": thinker("refuses-prefill", "… but answers 400 to a prefill"),
    "thinker-repeats-marker": thinker("repeats-marker", "… but repeats </think> after a prefill"),
    "thinker-mislabels": thinker("answers-as-reasoning", "… but labels the answer as reasoning"),
    "thinker-breaks": thinker("breaks", "… but breaks off in the answer after a prefill"),
    "tool-call": Script("thinks, then calls the first of the request's tools", tool_calls=1),
    "tool-calls": Script("calls two tools; the pieces of the calls take turns", tool_calls=2),
    "agent": Script(
        "strict about conversations; runs two commands in turn, then answers",
        steps=2,
        is_strict=True,
    ),
    "deepseek-v4-agent": Script(
        "the same; labels its reasoning, and wants it back",
        markup=Markup(key="reasoning_content"),
        steps=2,
        is_strict=True,
        wants_reasoning=True,
    ),
    "agent-cut": Script(
        "the same as agent; the connection ends in the middle of the second call",
        steps=2,
        is_strict=True,
        fault=cut_second_call,
    ),
    "unicode": Script("U+2028, an emoji cut in two …", unicode_reply, fault=split_surrogates),
    "summarizer": Script("sums up reasoning, for SUMMARIZER_MODEL", summary_reply, None),
    "summarizer-edits": Script("an editor's line about long-thinking", edited_summary, None),
    "summarizer-invents": Script("the same with an invented number", invented_summary, None),
    "slow-start": Script("3 s of nothing before the first byte", playback={"delay_s": 3}),
    "silent": Script("30 s of nothing in the middle of the thinking", playback={"silence_s": 30}),
    "bursts": Script("16 frames in one write", playback={"frames_per_write": 16}),
    "cut": Script("the connection ends in the middle of the answer", fault=cut_answer),
    "cut-thinking": Script(
        "the connection ends in the middle of the thinking", fault=cut_reasoning
    ),
    "never-ends-thinking": Script(
        "<think> alone; finish reason length", reasoning_only, Markup("<think>\n"), "length"
    ),
    "error-in-stream": Script("a few deltas, then an error and [DONE]", fault=fail_in_stream),
    "error-400": Script("status 400: the prompt is too long", error=ERRORS[400]),
    "error-401": Script("status 401: a wrong API key", error=ERRORS[401]),
    "error-500": Script("status 500", error=ERRORS[500]),
    "rate-limited": Script("status 429 with Retry-After: 7", error=ERRORS[429]),
    "garbage": Script("broken frames among good ones", fault=add_garbage),
    "crlf": Script("CRLF line ends and comments", rewrite_frame=with_crlf),
    "html": Script("status 200 and a web page", page=HTML),
    "json-body": Script("plain JSON although a stream was asked for", never_streams=True),
}

RECOMMENDED = ("default", "thinker", "no-reasoning")
"""The models that a person should try first."""

FAULTS = frozenset(
    {
        *(name for name, script in MODELS.items() if script.quirk or script.error or script.page),
        *(name for name, script in MODELS.items() if script.fault is not unchanged_plan),
        *("summarizer-invents", "slow-start", "silent", "never-ends-thinking", "crlf", "json-body"),
    }
    - {"unicode"}
)
"""Models that misbehave, each in its own way."""


def owner_of(name: str) -> str:
    """The group of a model. The list of models names it as the owner."""
    if name in RECOMMENDED:
        return "mock"
    return "mock-faults" if name in FAULTS else "mock-variants"
