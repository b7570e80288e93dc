"""A scripted model server that speaks the OpenAI chat API: a test instrument and a demo.

    python mock_upstream.py                          # http://127.0.0.1:9000, or MOCK_PORT
    python mock_upstream.py --port 0                 # any free port; the address is printed
    python mock_upstream.py --help                   # every option, every model
    python mock_upstream.py --model PATH_OR_NAME     # no script: a real model (local_model.py)

    curl -N http://127.0.0.1:9000/v1/chat/completions -d '{
      "model": "default", "stream": true, "messages": [{"role": "user", "content": "hi"}]}'

Endpoints: POST /v1/chat/completions, GET /v1/models (both also without /v1), GET /health, and
GET /stats: requests, open_streams, finished, aborted (the client left), tokens_sent, and the last
request's path, header names and body.

The same request always gets the same answer. A model is named after what it does; MODELS says more:

    answers   default labelled labelled-reasoning starts-inside no-reasoning tags-reasoning
              tags-thinking mock-magistral mock-natural long-thinking tool-call tool-calls unicode
    summaries summarizer summarizer-invents (slow: summarizer@delay=9; failing: error-500)
    timing    slow-start silent bursts
    endings   cut cut-thinking never-ends-thinking error-in-stream
    errors    error-400 error-401 error-500 rate-limited
    wire      garbage crlf html json-body

The request may say how to play the script, in an object "mock" or, for a client that can set only
the model's name, behind an @ ("default@tps=200,delay=1.5"; the object wins):

    tokens_per_second, tps    80   0 sends as fast as the client reads
    delay_s, delay             0   before the first byte
    silence_s, silence         0   in the middle of the thinking
    tokens_per_frame           1   tokens in one delta
    frames_per_write           1   frames that reach the network in one piece
    repeat                     1   how many times the answer is said

Tokens are words with the space before them, groups of up to three digits, single punctuation marks,
runs of newlines, and a few markers that models have as one token (<think>, [THINK] …). Usage counts
these pieces: of the same order as a real tokenizer's count, not equal to it. Reasoning tokens
include the markers.

An answer is made in three steps: `make_deltas` says it token by token, `make_frames` plans the
body and lets the model's fault change the plan, `deliver` sends each frame at its own deadline.
"""

if __name__ == "__main__":  # before the other imports: gevent replaces what blocks
    from gevent import monkey

    monkey.patch_all()

import ast
import errno
import json
import operator
import re
import select
import signal
import socket
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from itertools import chain, cycle, groupby, islice, zip_longest
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import click
import gevent
import msgspec
from flask import Flask, Response, jsonify, request
from gevent.monkey import get_original
from gevent.pywsgi import WSGIHandler, WSGIServer
from msgspec import Meta
from werkzeug.exceptions import HTTPException

if TYPE_CHECKING:
    from local_model import LocalModel, Piece


class Reply(NamedTuple):
    """What a model has to say to one prompt."""

    reasoning: str
    answer: str


# --- Texts ----------------------------------------------------------------------------------------

HI = Reply("I should greet in one sentence. Keep it short.", "Hi! Nice to meet you.")

STREAMING = Reply(
    """\
The user wants streaming APIs explained. I should begin with what streaming changes for the person \
who waits: the total time stays the same, but the first words arrive early. Then I need the \
mechanics: one HTTP response that stays open, and server-sent events as the usual framing. Two or \
three real events will be clearer than a definition. I must say what goes wrong, because that is \
where people lose time: proxies that buffer, reads that end inside a character, streams that stop \
without saying so. I will close with a rule for when streaming is worth it.""",
    """\
A streaming API sends its answer in pieces, as they are produced, over a response that stays open. \
A plain API computes the whole result first, and the client sees nothing until the end. Streaming \
does not make the work faster. It makes the first useful part arrive early, often within a \
fraction of a second, and that is what a person who waits notices.

Most streaming APIs over HTTP use server-sent events. The server answers with the content type \
text/event-stream and writes one small event after another. Each event is a line or more of text, \
closed by a blank line. A language model's answer travels like this:

```
data: {"choices":[{"delta":{"content":"Hello"}}]}

data: {"choices":[{"delta":{"content":" world"}}]}

data: [DONE]
```

The client collects bytes until it has seen a blank line, decodes that one event, and shows its \
delta. The network cuts the stream wherever it likes: one read may hold half an event or ten of \
them, and may end in the middle of a character. A correct client never assumes that one read is \
one message.

Four things go wrong in practice:

- A proxy or a compressor holds the events back until its buffer is full.
- Nobody notices a connection that died quietly; heartbeats and timeouts are the cure.
- A stream that stops without its end marker is taken for a complete answer.
- The reader is slower than the writer, so the server has to slow down or let the reader go.

Errors need thought too. The status line was sent long before the failure, so an error in the \
middle has to be an event of its own, and the client must be able to tell it from text.

Use a streaming API when results are useful before they are complete: chat, progress, logs, \
prices. When the answer is small, or useful only as a whole, a plain response is simpler to write, \
to cache and to retry.""",
)

RECURSION = Reply(
    """\
The user asks about recursion. The heart of it is a function that solves a problem by handing a \
smaller one to itself. I need the two parts that every recursion has: a base case and a step that \
comes closer to it. Factorial is the usual example, but a folder tree shows better why anyone \
wants this. I should also say what it costs, since each call stays on the stack until it returns. \
Then the typical mistakes and when a loop is the better choice.""",
    """\
Recursion means that a function solves a problem by calling itself on a smaller piece of the same \
problem. It needs two parts. The base case is so small that the answer is known at once. The \
recursive step makes the problem smaller and trusts the same function with the rest.

Take the size of a folder. The size of a file is known: that is the base case. The size of a \
folder is the sum of the sizes of what is inside, and what is inside may be folders again:

```
def size(path):
    if path.is_file():
        return path.stat().st_size
    return sum(size(child) for child in path.iterdir())
```

Nothing in this code says how deep the folders go. Each call looks after one level only, and the \
shape of the calls follows the shape of the data. This is why recursion suits trees, nested lists, \
grammars and every problem that splits into smaller copies of itself.

To work it through, follow one branch by hand. The call for the outer folder waits for the inner \
folder, which waits for its file. The file answers 300, the inner folder adds its second file of \
200 and answers 500, and the outer folder goes on from there. Every waiting call keeps its place \
on the call stack, so the depth of the recursion costs memory.

Three mistakes are common. Without a base case, or with a step that does not come closer to it, \
the calls never end and the stack overflows. A step that solves the same small problem again and \
again, as the naive Fibonacci function does, takes exponential time until its results are \
remembered. And a very long list is the wrong shape: there a loop does the same work in constant \
space.

In short: name the smallest case, trust the function with a smaller one, and check that every \
step comes closer to the end.""",
)

TOPICS = {r"\bstream(ing|ed|s)?\b": STREAMING, r"\brecurs(ion|ive)": RECURSION}

GENERAL = Reply(
    """\
The subject here is {topic}. The request does not say how much is known already, so I will write \
for a careful reader who is new to it. First I should say what it is about in plain words, before \
any detail. Then I want one small case worked from start to finish, because an example shows what \
a definition only claims. I should also name the usual mistakes and how to notice them. I will end \
with a short summary that can be remembered without the rest.""",
    """\
Here is a way to understand {topic}, from the plain idea to its use.

**What it is about.** The best way into {topic} is to ask which problem stands behind it, who has \
this problem, and what they did before there was a better way. Most of the details make sense as \
answers to that one question. Without it they look like a list of facts that could as well be \
different.

**How to approach it.** Begin with the smallest case that is still interesting. Write down what \
goes in, what should come out, and what must not change in between. It helps to separate three \
things: the words that people use, the parts that the words stand for, and the rules that connect \
the parts. Learn the parts first; the words then come by themselves.

**Worked through.** Suppose that you have one hour to spend on {topic}. Use the first ten minutes \
for an overview, and stop as soon as you can say in two sentences what matters. Use the next \
thirty minutes for one concrete example, done by hand, checking each step before the next. In the \
last twenty minutes change one thing in the example, and predict what will happen before you look. \
A wrong prediction shows exactly which part is not understood yet.

**Pitfalls.** Three mistakes are common. The first is to begin with the exceptions, because they \
are interesting, and to miss the rule. The second is to trust a description that was never tried \
on a real case. The third is to stop when the example has worked once; it should work a second \
time with other values, and fail in the way you expect when you break it on purpose.

**Summary.** To make sense of {topic}, find the problem behind it, work one small example to its \
end, change it and predict the outcome, and write down what surprised you. What surprised you is \
what you have learnt.""",
)

LONG_THINKING = """\
The subject here is {topic}. Before I write anything I should decide who reads this, how long the \
answer may be, and in which order its parts come. The request names no audience, so I assume a \
careful reader who is new to it and wants to use it soon.

First, a plan. I see five parts: what it is, how to approach it, one example worked to its end, \
the usual mistakes, and a summary. The example is the heart of it. If the reader remembers one \
thing only, it should be the example, so the other parts should prepare it or follow from it.

Next, the length. People read about 240 words a minute, and someone who asks this will give it two \
minutes. That is 2 * 240 = 480 words for everything. With five equal parts, each would get \
480 / 5 = 96 words. The example needs twice as much as the others, so I give it 2 * 96 = 192 words \
and leave 96 words for each of the other four.

Wait, that does not fit. 192 + 4 * 96 = 192 + 384 = 576 words, and that is 96 words over the \
limit. I doubled one part without taking anything from the others. Let me redo this with shares: \
the example counts twice and the other four count once, so there are 2 + 4 = 6 shares. One share \
is 480 / 6 = 80 words. The example then gets 2 * 80 = 160 words, and every other part gets 80.

Let me check: 160 + 4 * 80 = 160 + 320 = 480. That is exactly the limit, and at 240 words a minute \
it takes two minutes to read, as intended.

Now the content. I could begin with a definition, or with the problem behind {topic}. A definition \
is shorter, but it helps only a reader who already knows the words in it. The problem is better, \
because it gives a reason for everything after it. Of the mistakes I should pick those that I can \
explain together with a way to notice them. Three are enough; a longer list would not be read.

Should I add history, or a comparison? Either would be interesting, but 80 words are not enough \
for it, and the request does not ask for it. I leave both out.

So the decision is: five parts in this order, 160 words for the example and 80 for every other \
part, beginning with the problem behind {topic} and ending with a summary that can be remembered. \
I can write the answer now."""

UNICODE = Reply(
    "用户想看各种文字。我先用中文思考，然后检查表情符号 🤔。 A line separator\u2028is here, "
    "and a next-line\u0085too. שלום, then back to the left.",
    "你好，世界！Grüße, Ελλάδα, नमस्ते.\u2028After U+2028 the line goes on.\n\n"
    "Emoji: 😀 👩\u200d👩\u200d👧 🇯🇵 👍🏽. مرحبا بالعالم, and e\u0301 is two code points. Done ✅.",
)

# --- What a model says ----------------------------------------------------------------------------

TOPIC_RULES = {
    r"how do(?:es)? (.+) works?": "the workings of {}",
    r"how (?:do|can|should) (?:i|you|we|one) (.+)": "how to {}",
    r"(?:explain|describe|discuss|define|compare|tell me about|write(?: me)?|what (?:is|are))"
    r"(?: to me)? (.+)": "{}",
}


def topic_of(prompt: str) -> str:
    """The prompt's subject, in words that fit after "about": `What is X?` gives `X`."""
    words = " ".join(prompt.split())
    words = words if len(words) <= 80 else words[:80].rpartition(" ")[0] + " …"
    asked = re.sub("^(?:please|can you|could you) ", "", words.rstrip(" ?!.:"), flags=re.I)
    for pattern, phrase in TOPIC_RULES.items():
        if found := re.fullmatch(pattern, asked, re.I):
            return phrase.format(found[1])
    return f"the request “{words}”"


ARITHMETIC = re.compile(
    r"(?:please )?(?:what(?:'s| is)|calculate|compute|how much is|solve|work out)?:? *"
    r"(-?[\d(][\d.()+\-*/ ]{0,200}[\d)]) *(?:[=?.!,;].*)?",
    re.I | re.S,
)
SIGNS = str.maketrans({"\u00d7": "*", "\u00f7": "/", "\u2212": "-", "\u2019": "'"})
OPERATIONS: Mapping[type[ast.operator], tuple[str, Callable[[Fraction, Fraction], Fraction]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
}


def show(number: Fraction) -> str:
    return str(number) if number.denominator == 1 else f"{float(number):.10g}"


def work_out(node: ast.expr, steps: list[str]) -> Fraction:
    """The value of a parsed expression; every operation adds a line to `steps`."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return Fraction(str(value))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -work_out(operand, steps)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
            sign, apply = OPERATIONS[type(op)]
            a, b = work_out(left, steps), work_out(right, steps)
            result = apply(a, b)
            steps.append(f"{show(a)} {sign} {show(b)} = {show(result)}")
            return result
    raise ValueError("not arithmetic")


def calculate(prompt: str) -> Reply | None:
    """The reply to a prompt such as `What is 2+2?`, or None when there is nothing to calculate."""
    found = ARITHMETIC.fullmatch(prompt.strip().translate(SIGNS))
    steps: list[str] = []
    try:
        tree = ast.parse(found[1] if found else "", mode="eval").body
        expression = ast.unparse(tree)
        result = show(work_out(tree, steps))
    except ZeroDivisionError:
        reasoning = f"The user asks for {expression}. One step divides by zero, and has no value."
        return Reply(reasoning, f"{expression} has no result, because it divides by zero.")
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    if not steps:
        return None
    listed = " ".join(f"Step {n}: {step}." for n, step in enumerate(steps, 1))
    return Reply(
        f"The user asks for {expression}. This is plain arithmetic, so I work it out in order. "
        f"{listed} I go through it once more and get {result} again. I can answer in one line.",
        f"{expression} = {result}." + (f" {listed}" if len(steps) > 1 else ""),
    )


def reply(prompt: str) -> Reply:
    """A fixed reply for `hi`, a real calculation, a known topic, or a general text about it."""
    if prompt.strip().lower() == "hi":
        return HI
    if calculated := calculate(prompt):
        return calculated
    for pattern, text in TOPICS.items():
        if re.search(pattern, prompt, re.I):
            return text
    topic = topic_of(prompt)
    return Reply(GENERAL.reasoning.format(topic=topic), GENERAL.answer.format(topic=topic))


def long_reply(prompt: str) -> Reply:
    return Reply(LONG_THINKING.format(topic=topic_of(prompt)), reply(prompt).answer)


def endless_reply(prompt: str) -> Reply:
    return Reply(long_reply(prompt).reasoning, "")


def natural_reply(prompt: str) -> Reply:
    reasoning, answer = reply(prompt)
    opening = f"Let me think about {topic_of(prompt)}."
    return Reply(f"{opening} {reasoning}", f"Therefore, my answer is this: {answer}")


def tool_reply(prompt: str) -> Reply:
    return Reply(
        f"The subject here is {topic_of(prompt)}. I can not know this by myself, because it "
        "changes. One of the tools can look it up. I will call it once and wait for its result.",
        "",
    )


def summary_reply(prompt: str) -> Reply:
    """A part of an account of the reasoning that stands between two tags: its fullest step."""
    given = re.findall(r"<reasoning>\n(.*)\n</reasoning>", prompt, re.S) or [prompt]
    steps = re.findall(r"[^.!?]+[.!?]", " ".join(given[-1].split())) or ["Nothing is found yet."]
    return Reply("", f"**Working through it**\n\n{max(steps, key=len).strip()}")


def invented_reply(prompt: str) -> Reply:
    return Reply("", f"{summary_reply(prompt).answer} It comes to 8675309.")


def unicode_reply(_: str) -> Reply:
    return UNICODE


# --- Deltas, frames and the request ---------------------------------------------------------------

TOKEN = re.compile(r"</?think>|\[/?THINK\]| ?[A-Za-z]+|'[a-z]+| ?[0-9]{1,3}|\n+| ?\S|\s")


class Delta(NamedTuple):
    """One token of the answer, or several that travel together."""

    key: str
    value: Any
    tokens: int = 1
    reasoning: bool = False


class Frame(NamedTuple):
    """Bytes of the body, and what happens before they are sent."""

    data: bytes = b""
    tokens: int = 0
    pause_s: float = 0
    cut: bool = False


Plan = list[Delta | Frame]
DONE = Frame(b"data: [DONE]\n\n")

Seconds = Annotated[float, Meta(ge=0, le=3600)]
Count = Annotated[int, Meta(ge=1, le=1000)]


class Mock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to play the script: the settings described at the top."""

    tokens_per_second: Annotated[float, Meta(ge=0, le=100_000)] = 80
    delay_s: Seconds = 0
    silence_s: Seconds = 0
    tokens_per_frame: Count = 1
    frames_per_write: Count = 1
    repeat: Count = 1


SHORT_NAMES = {"tps": "tokens_per_second", "delay": "delay_s", "silence": "silence_s"}


class Message(msgspec.Struct):
    role: str
    content: str | list[Any] | None = None

    def text(self) -> str:
        """Its text; parts that are not text, such as images, count as nothing."""
        if not isinstance(self.content, list):
            return self.content or ""
        texts = (part.get("text") for part in self.content if isinstance(part, dict))
        return "\n".join(text for text in texts if isinstance(text, str))


class Parameters(msgspec.Struct):
    properties: dict[str, Any] = {}


class Function(msgspec.Struct):
    name: str
    parameters: Parameters | None = None


class Tool(msgspec.Struct):
    function: Function


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class Ask(msgspec.Struct):
    """The request: what this server reads of an OpenAI chat completion request."""

    messages: Annotated[list[Message], Meta(min_length=1)]
    model: str = "default"
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    tools: list[Tool] | None = None
    n: Annotated[int, Meta(ge=1, le=1)] | None = None
    mock: dict[str, Any] = {}

    @property
    def script(self) -> "Script":
        return MODELS[self.model.partition("@")[0]]

    @property
    def streams(self) -> bool:
        return bool(self.stream) and not self.script.never_streams

    def prompt(self) -> str:
        asked = [message.text() for message in self.messages if message.role == "user"]
        return asked[-1] if asked else self.messages[-1].text()


class Failure(NamedTuple):
    """An answer with an error status and OpenAI's error body."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    type: str = "invalid_request_error"
    headers: Mapping[str, str] = {}

    def body(self) -> dict[str, Any]:
        kind = {"type": self.type, "param": self.param, "code": self.code}
        return {"error": {"message": self.message, **kind}}


class Refused(Exception):
    """The request can not be answered; the failure says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def convert(value: Any, kind: Any, root: str = "") -> Any:
    """The value as `kind`, or a 400 whose param is the path of the fault below `root`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        fault, _, path = str(error).partition(" - at `$")
        param = (root + path.rstrip("`")).removeprefix(".") or None
        if kind is Mock:
            fault += f"; the settings are {', '.join(Mock.__struct_fields__)}"
        message = f"{param or 'The request'}: {fault}."
        raise Refused(Failure(400, message, param=param)) from None


def read_ask(body: Any, defaults: Mock) -> tuple[Ask, Mock]:
    ask: Ask = convert(body, Ask)
    name, _, suffix = ask.model.partition("@")
    if name not in MODELS:
        message = f"The model `{name}` does not exist. Known models: {', '.join(MODELS)}."
        raise Refused(Failure(404, message, "model_not_found", "model"))
    settings = {**msgspec.structs.asdict(defaults), **ask.script.mock, **suffix_settings(suffix)}
    return ask, convert({**settings, **ask.mock}, Mock, root="mock")


def suffix_settings(suffix: str) -> dict[str, float]:
    """`tps=200,delay=1.5` as settings."""
    settings = {}
    for pair in filter(None, suffix.split(",")):
        key, _, text = pair.partition("=")
        try:
            number: float = msgspec.convert(text, int | float, strict=False)
        except msgspec.ValidationError:
            message = f"{key} in the model's name needs a number, as in {key}=2."
            raise Refused(Failure(400, message, param="model")) from None
        settings[SHORT_NAMES.get(key, key)] = number
    return settings


def encode(value: Any) -> bytes:
    """JSON in UTF-8. Half of a surrogate pair becomes the escape that JSON has for it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def event(value: Any) -> bytes:
    return b"data: " + encode(value) + b"\n\n"


def chunk(head: dict[str, Any], delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return event({**head, "choices": [choice]})


# --- Faults ---------------------------------------------------------------------------------------


def middle(plan: Plan, reasoning: bool) -> int:
    """Where the middle of the reasoning, or of the answer, is in the plan."""
    at = [i for i, x in enumerate(plan) if isinstance(x, Delta) and x.reasoning is reasoning]
    return at[len(at) // 2] if at else len(plan) // 2


def cut_answer(plan: Plan) -> Plan:
    return [*plan[: middle(plan, reasoning=False)], Frame(cut=True)]


def cut_thinking(plan: Plan) -> Plan:
    return [*plan[: middle(plan, reasoning=True)], Frame(cut=True)]


def fail_in_stream(plan: Plan) -> Plan:
    failure = Failure(500, "The model ran out of memory.", "out_of_memory", type="server_error")
    return [*plan[:8], Frame(event(failure.body())), DONE]


def add_garbage(plan: Plan) -> Plan:
    garbage = (
        b'data: {"choices":[{"delta":{"content":"half\n\n',
        b"data: not json\n\n",
        b"data: [1, 2]\n\n",
        b'data: {"choices":"none"}\n\n',
        b"data: \xff\xfe\n\n",
        b"nonsense: yes\n\n",
    )
    spoiled: Plan = []
    for position, item in enumerate(plan):
        spoiled.append(item)
        if position % 3 == 0 and position // 3 < len(garbage):
            spoiled.append(Frame(garbage[position // 3]))
    return spoiled


def cut_surrogates(plan: Plan) -> Plan:
    """Sends the first emoji of the answer as two halves of a surrogate pair, one in each frame."""
    for at, item in enumerate(plan):
        value = item.value if isinstance(item, Delta) and not item.reasoning else ""
        if isinstance(item, Delta) and (emoji := re.search("[\U00010000-\U0010ffff]", value)):
            units = emoji[0].encode("utf-16-be")
            high, low = (units[i : i + 2].decode("utf-16-be", "surrogatepass") for i in (0, 2))
            first = item._replace(value=value[: emoji.start()] + high)
            second = item._replace(value=low + value[emoji.end() :], tokens=0)
            return [*plan[:at], first, second, *plan[at + 1 :]]
    return plan


def with_crlf(data: bytes) -> bytes:
    return (b": comment\n\n: another\n" + data).replace(b"\n", b"\r\n")


# --- The models -----------------------------------------------------------------------------------


class Markup(NamedTuple):
    """How a model marks its reasoning: text around it, or a key of its own in the delta."""

    before: str = ""
    after: str = ""
    key: str = "content"


def tag(name: str) -> Markup:
    return Markup(f"<{name}>\n", f"\n</{name}>\n\n")


def unchanged(thing: Any) -> Any:
    return thing


class Script(msgspec.Struct, frozen=True):
    """How one model behaves."""

    about: str
    say: Callable[[str], Reply] = reply
    markup: Markup | None = tag("think")
    finish_reason: str = "stop"
    mock: dict[str, Any] = {}
    tool_calls: int = 0
    fault: Callable[[Plan], Plan] = unchanged
    wire: Callable[[bytes], bytes] = unchanged
    never_streams: bool = False
    page: str | None = None
    failure: Failure | None = None


HTML = "<!doctype html><title>Sign in</title><h1>Please sign in</h1><p>This is not an API.</p>\n"
TOO_LONG = "This model's maximum context length is 8192 tokens. Please shorten the messages."
BROKEN = "The server had an error while processing your request."
LIMITED = "Rate limit reached. Please try again in 7s."

FAILURES = {
    400: Failure(400, TOO_LONG, "context_length_exceeded", "messages"),
    401: Failure(401, "Incorrect API key provided.", "invalid_api_key"),
    429: Failure(429, LIMITED, "rate_limit_exceeded", None, "requests", {"Retry-After": "7"}),
    500: Failure(500, BROKEN, None, None, "server_error"),
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
    "tool-call": Script("thinks, then calls the first of the request's tools", tool_calls=1),
    "tool-calls": Script("calls two tools; the pieces of the calls take turns", tool_calls=2),
    "unicode": Script("U+2028, an emoji cut in two …", unicode_reply, fault=cut_surrogates),
    "summarizer": Script("sums up reasoning, for SUMMARIZER_MODEL", summary_reply, None),
    "summarizer-invents": Script("the same with a number of its own", invented_reply, None),
    "slow-start": Script("3 s of nothing before the first byte", mock={"delay_s": 3}),
    "silent": Script("30 s of nothing in the middle of the thinking", mock={"silence_s": 30}),
    "bursts": Script("16 frames in one write", mock={"frames_per_write": 16}),
    "cut": Script("the connection ends in the middle of the answer", fault=cut_answer),
    "cut-thinking": Script("the connection ends in the middle of the thinking", fault=cut_thinking),
    "never-ends-thinking": Script(
        "<think> alone; finish reason length", endless_reply, Markup("<think>\n"), "length"
    ),
    "error-in-stream": Script("a few deltas, then an error and [DONE]", fault=fail_in_stream),
    "error-400": Script("status 400: the prompt is too long", failure=FAILURES[400]),
    "error-401": Script("status 401: a wrong API key", failure=FAILURES[401]),
    "error-500": Script("status 500", failure=FAILURES[500]),
    "rate-limited": Script("status 429 with Retry-After: 7", failure=FAILURES[429]),
    "garbage": Script("broken frames among good ones", fault=add_garbage),
    "crlf": Script("CRLF line ends and comments", wire=with_crlf),
    "html": Script("status 200 and a web page", page=HTML),
    "json-body": Script("plain JSON although a stream was asked for", never_streams=True),
}

# --- The answer -----------------------------------------------------------------------------------


def make_deltas(ask: Ask, mock: Mock) -> list[Delta]:
    """All that the model says, one token in each delta."""
    script, last = ask.script, ask.messages[-1]
    calls = script.tool_calls if last.role != "tool" else 0
    if calls:
        reasoning, answer = tool_reply(ask.prompt())
    elif script.tool_calls:
        reasoning, answer = "The tool has answered. I can pass it on.", f"It says: {last.text()}"
    else:
        reasoning, answer = script.say(ask.prompt())
    deltas = list(deltas_of("content", answer, False)) * mock.repeat
    if script.markup:
        before, after, key = script.markup
        deltas[:0] = deltas_of(key, before + reasoning + after, True)
    return deltas + tool_deltas(ask.tools, calls)


@lru_cache(maxsize=64)  # many streams of one text share its deltas
def deltas_of(key: str, text: str, reasoning: bool) -> tuple[Delta, ...]:
    return tuple(Delta(key, token, 1, reasoning) for token in TOKEN.findall(text))


def tool_deltas(tools: list[Tool] | None, calls: int) -> list[Delta]:
    """Calls of the first tools, from the first again if there are too few, in turns."""
    called = list(islice(cycle(tools or [None]), calls))
    pieces = [call_pieces(index, tool) for index, tool in enumerate(called)]
    turns = chain.from_iterable(zip_longest(*pieces))
    return [Delta("tool_calls", [piece]) for piece in turns if piece]


def call_pieces(index: int, tool: Tool | None) -> list[dict[str, Any]]:
    """A call: its id and name, then its arguments piece by piece."""
    name, arguments = "get_weather", {"location": "Paris", "unit": "celsius"}
    if tool:
        name, parameters = tool.function.name, tool.function.parameters or Parameters()
        arguments = {key: sample(schema) for key, schema in parameters.properties.items()}
    opening = {"name": name, "arguments": ""}
    pieces = [{"id": f"call_{uuid.uuid4().hex}", "type": "function", "function": opening}]
    pieces += [{"function": {"arguments": piece}} for piece in TOKEN.findall(json.dumps(arguments))]
    return [{"index": index, **piece} for piece in pieces]


def sample(schema: Any) -> Any:
    """A value for one argument: its default, its first choice, or one of its type."""
    schema = schema if isinstance(schema, dict) else {}
    values = {"number": 1.5, "integer": 1, "boolean": True, "array": [], "object": {}}
    value = values.get(str(schema.get("type")), "Paris")
    choices = schema.get("enum")
    return schema.get("default", choices[0] if isinstance(choices, list) and choices else value)


def merge(deltas: list[Delta], size: int) -> Iterator[Delta]:
    """Puts up to `size` neighbours of the same kind into one delta."""
    if size == 1:
        yield from deltas
        return
    for (key, reasoning), group in groupby(deltas, lambda delta: (delta.key, delta.reasoning)):
        values = [delta.value for delta in group]
        step = 1 if key == "tool_calls" else size
        for at in range(0, len(values), step):
            part = values[at : at + step]
            yield Delta(key, part[0] if step == 1 else "".join(part), len(part), reasoning)


def usage_of(ask: Ask, deltas: list[Delta]) -> dict[str, Any]:
    prompt = sum(len(TOKEN.findall(message.text())) for message in ask.messages)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": len(deltas),
        "total_tokens": prompt + len(deltas),
        "completion_tokens_details": {"reasoning_tokens": sum(d.reasoning for d in deltas)},
    }


def message_of(deltas: list[Delta]) -> dict[str, Any]:
    """The deltas put together, as the message of an answer that is not streamed."""
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
    """The pieces of one call put together."""
    arguments = "".join(piece["function"]["arguments"] for piece in pieces)
    return {**pieces[0], "function": {**pieces[0]["function"], "arguments": arguments}}


def make_frames(ask: Ask, mock: Mock) -> Iterator[Frame]:
    """Everything that the body of a good answer does, from the first byte to the last."""
    said = make_deltas(ask, mock)
    deltas = said[: ask.max_completion_tokens or ask.max_tokens]
    finish_reason = "tool_calls" if deltas[-1].key == "tool_calls" else ask.script.finish_reason
    if len(deltas) < len(said):
        finish_reason = "length"
    kind = "chat.completion.chunk" if ask.streams else "chat.completion"
    head: dict[str, Any] = {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind}
    head |= {"created": int(time.time()), "model": ask.model}
    usage = {**head, "choices": [], "usage": usage_of(ask, deltas)}
    if not ask.streams:
        choice = {"index": 0, "message": message_of(deltas), "finish_reason": finish_reason}
        yield from whole_answer(ask, mock, encode({**usage, "choices": [choice]}), len(deltas))
        return
    plan: Plan = [Frame(chunk(head, {"role": "assistant", "content": ""}))]
    plan += merge(deltas, mock.tokens_per_frame)
    if mock.silence_s:
        plan.insert(middle(plan, reasoning=True), Frame(pause_s=mock.silence_s))
    plan.append(Frame(chunk(head, {}, finish_reason)))
    if ask.stream_options and ask.stream_options.include_usage:
        plan.append(Frame(event(usage)))
    for item in ask.script.fault([*plan, DONE]):
        if isinstance(item, Delta):
            item = Frame(chunk(head, {item.key: item.value}), item.tokens)
        yield item._replace(data=ask.script.wire(item.data)) if item.data else item


def whole_answer(ask: Ask, mock: Mock, body: bytes, tokens: int) -> Iterator[Frame]:
    """An answer that is not streamed, after the time that the model needs for it."""
    speed = mock.tokens_per_second
    yield Frame(pause_s=mock.silence_s + (tokens / speed if speed else 0))
    if ask.script.fault in (cut_answer, cut_thinking):
        yield Frame(body[: len(body) // 2])
        yield Frame(cut=True)
    yield Frame(body, tokens)


# --- The server -----------------------------------------------------------------------------------

JSON = "application/json"


def batch(frames: Iterator[Frame], size: int) -> Iterator[Frame]:
    """Joins up to `size` frames into one write; a pause or a cut ends a write."""
    held: list[Frame] = []
    for frame in frames:
        if held and (len(held) == size or not frame.data):
            yield Frame(b"".join(f.data for f in held), sum(f.tokens for f in held))
            held = []
        if frame.data:
            held.append(frame)
        else:
            yield frame
    if held:
        yield Frame(b"".join(f.data for f in held), sum(f.tokens for f in held))


def deliver(
    frames: Iterator[Frame], speed: float, stats: dict[str, Any], client_gone: Callable[[], bool]
) -> Iterator[bytes]:
    """Sends each frame at its own deadline, so that a stream which was late catches up."""
    outcome = "aborted"
    stats["open_streams"] += 1
    due = time.monotonic()
    try:
        for frame in frames:
            due += frame.pause_s
            if not wait_until(due, client_gone):
                return
            if frame.cut:
                outcome = "finished"
                raise ConnectionResetError(errno.ECONNRESET, "the script ends the connection here")
            if frame.data:
                yield frame.data
            stats["tokens_sent"] += frame.tokens
            due += frame.tokens / speed if speed else 0
        outcome = "finished"
    finally:
        stats["open_streams"] -= 1
        stats[outcome] += 1


def wait_until(due: float, client_gone: Callable[[], bool]) -> bool:
    """Waits, or at least lets other streams run; False if the client has left meanwhile."""
    while not client_gone():
        left = due - time.monotonic()
        time.sleep(min(max(left, 0), 0.1))
        if left <= 0.1:
            return True
    return False


def respond(ask: Ask, mock: Mock, stats: dict[str, Any]) -> Response:
    script, status, headers, kind = ask.script, 200, {"Cache-Control": "no-cache"}, JSON
    if script.failure:
        status, headers = script.failure.status, {**script.failure.headers}
        frames = iter([Frame(encode(script.failure.body()))])
    elif script.page:
        kind, frames = "text/html; charset=utf-8", iter([Frame(script.page.encode())])
    else:
        frames = make_frames(ask, mock)
        kind = "text/event-stream; charset=utf-8" if ask.streams else JSON
    frames = batch(chain([Frame(pause_s=mock.delay_s)], frames), mock.frames_per_write)
    client_gone = request.environ.get("mock.client_gone", lambda: False)
    body = deliver(frames, mock.tokens_per_second, stats, client_gone)
    return Response(body, status, headers, content_type=kind)


class Sampling(msgspec.Struct, frozen=True):
    """How a request wants a real model to choose its tokens."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    seed: int | None = None


def respond_for_real(body: Any, local: "LocalModel", stats: dict[str, Any]) -> Response:
    """The answer of a real model, whatever model the request names."""
    ask: Ask = convert(body, Ask)
    sampling = convert(body, Sampling)
    prompt, opening = local.read([{"role": m.role, "content": m.text()} for m in ask.messages])
    if len(prompt) >= local.room:
        message = f"This model's maximum context length is {local.room} tokens."
        raise Refused(Failure(400, message, "context_length_exceeded", "messages"))
    most = ask.max_completion_tokens or ask.max_tokens
    run = gevent.get_hub().threadpool.apply
    pieces = local.say(prompt, most, msgspec.structs.astuple(sampling), run)
    frames = real_frames(ask, local.name, len(prompt), opening, pieces)
    client_gone = request.environ.get("mock.client_gone", lambda: False)
    kind = "text/event-stream; charset=utf-8" if ask.stream else JSON
    return Response(deliver(frames, 0, stats, client_gone), content_type=kind)


def real_frames(
    ask: Ask, name: str, prompt_tokens: int, opening: str, pieces: "Iterator[Piece]"
) -> Iterator[Frame]:
    """The body of a real model's answer. `opening` is what its template has begun it with."""
    head: dict[str, Any] = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time())}
    kind = "chat.completion.chunk" if ask.stream else "chat.completion"
    head |= {"object": kind, "model": name}
    texts, tokens, finish_reason = [opening], 0, "stop"
    if ask.stream:
        yield Frame(chunk(head, {"role": "assistant", "content": opening}))
    for piece in pieces:
        finish_reason = piece.finish_reason or finish_reason
        tokens += piece.tokens
        texts.append(piece.text)
        data = chunk(head, {"content": piece.text}) if ask.stream and piece.text else b""
        yield Frame(data, piece.tokens)
    counts = {"prompt_tokens": prompt_tokens, "completion_tokens": tokens}
    usage = {**counts, "total_tokens": prompt_tokens + tokens}
    if not ask.stream:
        message = {"role": "assistant", "content": "".join(texts)}
        choice = {"index": 0, "message": message, "finish_reason": finish_reason}
        yield Frame(encode({**head, "choices": [choice], "usage": usage}))
        return
    yield Frame(chunk(head, {}, finish_reason))
    if ask.stream_options and ask.stream_options.include_usage:
        yield Frame(event({**head, "choices": [], "usage": usage}))
    yield DONE


def load_local(path: str) -> "LocalModel":
    """Loads a real model; what it lacks is said in one sentence."""
    try:
        from local_model import LocalModel

        return LocalModel(path)
    except ImportError as error:
        message = f"--model needs `pip install -r requirements-local.txt` ({error})."
    except (OSError, ValueError) as error:
        message = f"--model {path} can not be loaded: {str(error).splitlines()[0]}"
    raise Unusable(message)


def refuse(failure: Failure) -> Response:
    return Response(encode(failure.body()), failure.status, failure.headers, content_type=JSON)


def create_app(
    defaults: Mock = Mock(),  # noqa: B008 (it is frozen)
    local: "LocalModel | None" = None,
) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = 32_000_000
    counters = ("requests", "open_streams", "finished", "aborted", "tokens_sent")
    stats: dict[str, Any] = {**dict.fromkeys(counters, 0), "last_request": None}

    @app.post("/v1/chat/completions")
    @app.post("/chat/completions")
    def chat() -> Response:
        raw = request.get_data()
        stats["requests"] += 1
        try:
            body = msgspec.json.decode(raw)
        except (ValueError, RecursionError):
            raise Refused(Failure(400, "The body is not valid JSON.")) from None
        names = sorted(request.headers.keys())
        stats["last_request"] = {"path": request.path, "headers": names, "body": body}
        if local:
            return respond_for_real(body, local, stats)
        return respond(*read_ask(body, defaults), stats)

    @app.get("/v1/models")
    @app.get("/models")
    def models() -> Response:
        kind = {"object": "model", "created": 0, "owned_by": "mock"}
        rows = [{"id": name, **kind, "description": s.about} for name, s in MODELS.items()]
        if local:
            rows = [{**kind, "id": local.name, "description": "a real model, on this machine"}]
        return jsonify(object="list", data=rows)

    @app.get("/health")
    def health() -> Response:
        return jsonify(status="ok", open_streams=stats["open_streams"])

    @app.get("/stats")
    def show_stats() -> Response:
        return jsonify(stats)

    @app.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        return refuse(error.failure)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        allowed = {name: value for name, value in error.get_headers() if name == "Allow"}
        message = f"{request.method} {request.path}: {error.name}."
        return refuse(Failure(error.code or 500, message, headers=allowed))

    return app


class Handler(WSGIHandler):  # type: ignore[misc]  # gevent has no types
    """Sends small frames without delay, and tells the app when the client has left."""

    def get_environ(self) -> Any:
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poller = get_original("select", "poll")()
        poller.register(self.socket.fileno(), getattr(select, "POLLRDHUP", select.POLLHUP))
        environ = super().get_environ()
        environ["mock.client_gone"] = lambda: bool(poller.poll(0))
        return environ


class Unusable(click.ClickException):
    """A setting that can not be used: one sentence, exit status 2."""

    exit_code = 2


def read_port(_: click.Context, __: click.Parameter, text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise Unusable(f"--port or MOCK_PORT must be a number from 0 to 65535, not {text!r}.")


MODEL_LIST = "\b\nModels:\n" + "\n".join(f"  {name:20} {s.about}" for name, s in MODELS.items())
PORT_HELP = "Port to listen on; 0 takes a free one.  [env: MOCK_PORT; default: 9000]"
SPEED = click.FloatRange(0, 100_000)
SPEED_HELP = "For requests that set none; 0 sends as fast as the client reads."
LOCAL_HELP = "Let a real model answer, through transformers: a folder, or a name on the hub."
DELAY_HELP = "Seconds before the first byte, for requests that set none."


@click.command(epilog=MODEL_LIST)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default="9000", envvar="MOCK_PORT", callback=read_port, help=PORT_HELP)
@click.option("--model", "path", metavar="PATH_OR_NAME", help=LOCAL_HELP)
@click.option("--tokens-per-second", default=80.0, type=SPEED, show_default=True, help=SPEED_HELP)
@click.option("--delay", default=0.0, type=click.FloatRange(0, 3600), help=DELAY_HELP)
@click.option("--log", is_flag=True, help="Write a line for each request to stderr.")
def main(
    host: str, port: int, path: str | None, tokens_per_second: float, delay: float, log: bool
) -> None:
    """A scripted model server that speaks the OpenAI chat API."""
    local = load_local(path) if path else None
    app = create_app(Mock(tokens_per_second=tokens_per_second, delay_s=delay), local)
    log_to = "default" if log else None
    server = WSGIServer((host, port), app, backlog=2048, handler_class=Handler, log=log_to)
    try:
        server.start()
    except OSError as error:
        reason = str(error.strerror).partition(":")[0]  # gevent adds the address once more
        raise click.ClickException(f"Can not listen on {host}:{port}: {reason}.") from None
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, server.stop, 0)
    click.echo(f"mock upstream on http://{host}:{server.server_port}")
    server.serve_forever()


if __name__ == "__main__":
    main()
