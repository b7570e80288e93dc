"""The command-line client of the gateway: sends a prompt and shows each phase as it arrives.

What arrives goes one way: bytes -> lines -> messages (:mod:`gateway.sse`) -> events (a row of
:data:`FORMATS`) -> text on stdout (a row of :data:`OUTPUTS`). Every format becomes the same events,
named as in the `events` format. Diagnostics go to stderr.

Exit status: 0 all is well, 1 a failure, 2 a wrong command line, 130 Ctrl-C.
"""

import io
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

import click
import requests
import urllib3

from gateway.sse import DONE, Decoder, Message

CHECK_PROMPT = "Explain streaming APIs"
CONNECT_TIMEOUT_S = 5.0
READ_BYTES = 65536
CONTROLS = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
"""Characters that could steer a terminal: left out of what is shown."""


class Failure(click.ClickException):
    """No answer, or one that is not whole. The message is one line on stderr, the status 1."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.translate(CONTROLS).split())[:500])


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a turn, named as in the `events` format."""

    event: str
    data: dict[str, Any]

    @property
    def text(self) -> str:
        """The text of a delta or a summary, as it can be shown."""
        return str(self.data.get("text") or "").translate(CONTROLS)


# --- Formats: messages to events. An adapter raises Failure at a message that it cannot read.

Adapter = Callable[[Message], list[Event]]


def named_events(message: Message) -> list[Event]:
    """The `events` format, which already is what the client works with."""
    return [Event(message.event, parse(message.data))]


SUMMARIES = {
    "prompt_summary": ("prompt_summary", "[Prompt Summary] "),
    "reasoning_summary": ("reasoning_summary_delta", "[Reasoning Summary] "),
}
"""Phase -> the event that its text is, and the label before the text in `phased`."""


class Chunks:
    """`phased`, `openai` and `plain`: chunks, whose phase says what the text of a delta is.

    They carry only the live lines of the summary; the whole is these lines, once they are over.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._end: dict[str, Any] = dict.fromkeys(("finish_reason", "usage", "timings"))

    def __call__(self, message: Message) -> list[Event]:
        if message.data == DONE:
            return [*self._whole_summary(), Event("done", self._end)]
        chunk = parse(message.data)
        if error := chunk.get("error"):
            return [Event("failed", {"error": record(error) or {"message": str(error)}})]
        choices = chunk.get("choices")
        choice = record(choices[0]) if isinstance(choices, list) and choices else {}
        self._end |= {k: v for k, v in (chunk | choice).items() if k in self._end and v}
        events = self._whole_summary() if chunk.get("phase") == "final_output" else []
        return [*events, *self._delta(record(choice.get("delta")), chunk)]

    def _delta(self, delta: dict[str, Any], chunk: dict[str, Any]) -> Iterator[Event]:
        kind, label = SUMMARIES.get(str(chunk.get("phase")), ("", ""))
        summary = delta.get("reasoning_summary")
        if trace := delta.get("reasoning_content") or delta.get("reasoning"):
            yield self._text(kind if kind and not summary else "reasoning_delta", trace, chunk)
        if summary:
            yield self._text("reasoning_summary_delta", summary, chunk)
        if content := delta.get("content"):
            text = str(content).removeprefix(label)
            yield self._text(kind or "final_output_delta", text, chunk)
        calls = delta.get("tool_calls")
        for call in map(record, calls if isinstance(calls, list) else []):
            data = {"index": call.get("index", 0), "id": call.get("id")}
            data |= record(call.get("function"))
            yield Event("tool_call_delta", {k: v for k, v in data.items() if v is not None})

    def _text(self, kind: str, text: Any, chunk: dict[str, Any]) -> Event:
        if kind == "prompt_summary":
            timing = {"ttft_ms": chunk["ttft_ms"]} if "ttft_ms" in chunk else {}
            return Event(kind, {"text": str(text).strip(), **timing})
        if kind == "reasoning_summary_delta":
            text = str(text).strip("\n") + "\n"
            self._lines.append(text)
        return Event(kind, {"text": text})

    def _whole_summary(self) -> list[Event]:
        text = "".join(self._lines).strip()
        self._lines.clear()
        return [Event("reasoning_summary", {"text": text})] if text else []


FORMATS: dict[str, Callable[[], Adapter]] = {
    "events": lambda: named_events,
    "phased": Chunks,
    "openai": Chunks,
    "plain": Chunks,
}


def parse(data: bytes) -> dict[str, Any]:
    """The JSON object of a message. Raises Failure.

    With json and not msgspec, which refuses the lone surrogates that some models send.
    """
    with suppress(ValueError, RecursionError):
        if isinstance(value := json.loads(data), dict):
            return value
    raise Failure(f"the stream carries what is no event: {data[:80].decode('utf-8', 'replace')}")


def record(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def split_lines(reads: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The lines that each read completes, without their ends: CR, LF or CRLF, wherever cut."""
    tail = b""
    for read in reads:
        lines = (tail + read).splitlines(keepends=True)
        whole = not lines or lines[-1].endswith(b"\n")  # a last CR may be half a CRLF: it waits
        tail = b"" if whole else lines.pop()
        yield [line.rstrip(b"\r\n") for line in lines]
    yield tail.splitlines()


def decode(reads: Iterable[bytes], adapter: Adapter) -> Iterator[Event]:
    """The events of a stream. Raises Failure at what the adapter cannot read."""
    decoder = Decoder()
    for lines in split_lines(reads):
        for message in decoder.feed(lines):
            yield from adapter(message)
    for message in decoder.close():
        yield from adapter(message)


# --- Outputs: events to text.


class Output:
    """Shows the events of one turn through `write`, which puts text on stdout."""

    def __init__(self, write: Callable[[str], object], reasoning: str) -> None:
        self.write = write
        self.reasoning = reasoning
        self.answer = ""

    def show(self, event: Event) -> None:
        if event.event == "final_output_delta":
            self.answer += event.text

    def end_line(self) -> None:
        """Ends a line that has begun, if there is one."""


class Sections(Output):
    """Text under headings that never go backwards: trace after the answer began is left out."""

    HEADINGS = ("", "[PROMPT]", "[REASONING]", "[REASONING SUMMARY]", "[FINAL RESPONSE]")

    def __init__(self, write: Callable[[str], object], reasoning: str) -> None:
        super().__init__(write, reasoning)
        self._heading = ""
        self._held = ""  # white space, shown only when more text follows
        self._in_line = False
        self._live = ""
        self._calls: dict[str, str] = {}

    def show(self, event: Event) -> None:
        super().show(event)
        match event.event:
            case "prompt_summary":
                self._put("[PROMPT]", event.text)
            case "reasoning_delta" if self.reasoning in ("raw", "both"):
                self._put("[REASONING]", event.text, dim=True)
            case "reasoning_summary_delta" if self.reasoning == "summary":
                line = event.text.rstrip("\n") + "\n"
                self._live += line
                self._put("[REASONING SUMMARY]", line, dim=True)
            case "reasoning_summary" if self.reasoning in ("summary", "both"):
                if event.text.split() != self._live.split():  # it says more than the live lines
                    self._put("[REASONING SUMMARY]", "\n" * bool(self._live) + event.text)
            case "final_output_delta":
                self._put("[FINAL RESPONSE]", event.text)
            case "tool_call_delta":
                self._gather_call(event.data)
            case "done":
                self._put("[FINAL RESPONSE]", "\n\n" + "\n".join(self._calls.values()))

    def _gather_call(self, data: dict[str, Any]) -> None:
        """Joins the pieces of a tool call, which is shown whole at the end."""
        key = str(data.get("index"))
        name = f"tool call: {data['name']} " if data.get("name") else ""
        piece = f"{name}{data.get('arguments') or ''}".translate(CONTROLS)
        self._calls[key] = self._calls.get(key, "") + piece

    def _put(self, heading: str, text: str, dim: bool = False) -> None:
        if self.HEADINGS.index(heading) < self.HEADINGS.index(self._heading):
            return
        if heading != self._heading:
            self.end_line()
            gap = "\n" if self._heading else ""
            self.write(gap + click.style(heading, fg="cyan", bold=True) + "\n")
            self._heading, self._held, text = heading, "", text.lstrip("\n")
        text = self._held + text
        shown = text.rstrip()
        self._held = text[len(shown) :]
        if shown:
            self.write(click.style(shown, dim=True) if dim else shown)
            self._in_line = True

    def end_line(self) -> None:
        if self._in_line:
            self.write("\n")
        self._in_line = False


class EventLines(Output):
    """Each event as `[name] {data}`, then the answer."""

    def show(self, event: Event) -> None:
        super().show(event)
        self.write(f"[{event.event}] {compact(event.data)}\n".translate(CONTROLS))
        if event.event == "done":
            self.write("--- FINAL OUTPUT ---\n" + self.answer.rstrip("\n") + "\n")


class JsonLines(Output):
    """Each event as one line of JSON, in ASCII: no reader can cut the line elsewhere."""

    def show(self, event: Event) -> None:
        super().show(event)
        self.write(compact(asdict(event), ascii=True) + "\n")


OUTPUTS: dict[str, type[Output]] = {"sections": Sections, "events": EventLines, "json": JsonLines}


def compact(value: Any, ascii: bool = False) -> str:
    return json.dumps(value, ensure_ascii=ascii, separators=(",", ":"))


# --- The gateway: requests to reads.


@dataclass(frozen=True, slots=True)
class Client:
    """The gateway, what to ask of it and how to show it. Its requests raise Failure."""

    url: str
    timeout_s: float
    """Seconds without a byte after which to give up."""
    model: str | None
    options: dict[str, str]
    """The `gateway` object of a request: format, reasoning, detail."""
    output: str = "sections"
    verbose: bool = False

    def new_output(self) -> Output:
        """The output of one turn."""
        row = OUTPUTS[self.output]
        return row(lambda text: click.echo(text, nl=False), self.options["reasoning"])

    @contextmanager
    def stream(self, request: dict[str, Any]) -> Iterator[Iterator[bytes]]:
        """Asks for a stream; gives the reads of the answer, each as soon as it arrives."""
        model = {"model": self.model} if self.model else {}
        body = {**model, **request, "stream": True}
        with self._answer("POST", "/v1/chat/completions", body) as response:
            kind = response.headers.get("Content-Type", "no content type")
            if not kind.startswith("text/event-stream"):
                raise Failure(f"{response.url} answered with {kind}, not with an event stream")
            yield iter(lambda: response.raw.read1(READ_BYTES, decode_content=True), b"")

    def health(self) -> dict[str, Any]:
        """What GET /health says."""
        with self._answer("GET", "/health") as response:
            return parse(response.content)

    @contextmanager
    def _answer(self, method: str, path: str, body: Any = None) -> Iterator[requests.Response]:
        """Sends a request. The errors of requests and urllib3 become a Failure here, once."""
        headers = {"Accept-Encoding": "identity"}  # a compressing proxy would hold events back
        timeout = (CONNECT_TIMEOUT_S, self.timeout_s)
        try:
            with requests.request(
                method, self.url + path, json=body, headers=headers, stream=True, timeout=timeout
            ) as response:
                if not response.ok:
                    raise Failure(f"{self.url} answered {refusal(response)}")
                yield response
        except (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError):
            silence = f"nothing came from {self.url} for {self.timeout_s:g} s"
            raise Failure(f"{silence} (--timeout sets how long to wait)") from None
        except requests.ConnectionError as fault:
            if any(isinstance(cause, urllib3.exceptions.ProtocolError) for cause in fault.args):
                raise Failure(f"{self.url} closed the connection without an answer") from None
            hint = "start one with `make run`, or name another with --url"
            raise Failure(f"no gateway can be reached at {self.url}: {hint}") from None
        except urllib3.exceptions.HTTPError:
            raise Failure("the connection broke before the answer was whole") from None
        except requests.RequestException as fault:
            raise Failure(f"no request can be sent to {self.url}: {fault}") from None


def refusal(response: requests.Response) -> str:
    """The status of an HTTP error and the server's message."""
    message = ""
    with suppress(Failure):
        error = parse(response.content.strip().removeprefix(b"data:")).get("error")
        message = str(record(error).get("message") or error or "")
    return f"{response.status_code}: {message or response.reason}"


# --- Turns: one loop joins them all.


class Watch:
    """Times one turn, in seconds from the request."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()
        self._phases = {""}
        self.first_byte_s = float("inf")

    def elapsed_s(self) -> float:
        return time.monotonic() - self._start_s

    def reads(self, reads: Iterable[bytes]) -> Iterator[bytes]:
        """The same reads; notes when the first one arrived."""
        for read in reads:
            self.first_byte_s = min(self.first_byte_s, self.elapsed_s())
            yield read

    def notes(self, event: Event) -> Iterator[str]:
        """What --verbose has to say of an event: a new phase, silence, at the end the timings."""
        now = f"{self.elapsed_s():.3f} s"
        phase = event.event.removesuffix("_delta") if "text" in event.data else ""
        if phase not in self._phases:
            self._phases.add(phase)
            yield f"phase {phase} after {now}"
        elif event.event == "heartbeat":
            yield f"still waiting after {now}"
        elif event.event == "done":
            yield f"first byte after {self.first_byte_s:.3f} s, done after {now}"
            yield from (f"{name}: {compact(value)}" for name, value in event.data.items())


def run_turn(client: Client, messages: list[dict[str, str]], output: Output) -> None:
    """Shows one turn as it arrives. Raises Failure, also when the stream ends without `done`."""
    watch = Watch()
    try:
        with client.stream({"messages": messages, "gateway": client.options}) as reads:
            adapter = FORMATS[client.options["format"]]()
            for event in decode(watch.reads(reads), adapter):
                for line in watch.notes(event) if client.verbose else ():
                    note(line, output)
                output.show(event)
                if event.event == "failed":
                    raise failure_of(event)
                if event.event == "done":
                    output.end_line()
                    if (reason := event.data.get("finish_reason")) in ("length", "content_filter"):
                        note(f"The answer is not whole: finish reason {reason}.", output)
                    return
        raise Failure("the stream ended without `done`: the answer is not whole")
    finally:
        output.end_line()


def failure_of(event: Event) -> Failure:
    message = record(event.data.get("error")).get("message")
    return Failure(f"the turn failed: {message or 'no reason was given'}")


def note(line: str, output: Output) -> None:
    """A diagnostic on stderr, on a line of its own where stdout is the same terminal or file."""
    with suppress(OSError):  # a stream may be none of the system's
        if os.path.samestat(*(os.fstat(stream.fileno()) for stream in (sys.stdout, sys.stderr))):
            output.end_line()
    click.secho(line.translate(CONTROLS), err=True, dim=True)


def converse(client: Client, prompts: Iterable[str]) -> int:
    """A conversation: each turn is sent with those before it. The exit status of the last turn.

    A turn that failed is forgotten; one that was stopped is kept as far as it came.
    """
    messages: list[dict[str, str]] = []
    status = 0
    for prompt in prompts:
        output = client.new_output()
        messages.append({"role": "user", "content": prompt})
        status = 0
        try:
            run_turn(client, messages, output)
        except Failure as failure:
            failure.show()
            output.answer, status = "", failure.exit_code
        except KeyboardInterrupt:
            pass
        if output.answer:
            messages.append({"role": "assistant", "content": output.answer})
        else:
            messages.pop()
    return status


def typed_prompts(first: str | None) -> Iterator[str]:
    """`first`, then what is typed or piped in, a prompt a line, until it ends or says /quit."""
    if first:
        yield first
    terminal = sys.stdin.isatty()
    if terminal:
        with suppress(ImportError):
            import readline  # noqa: F401, its import gives input() keys and a history
        click.secho("Ctrl-C stops an answer, Ctrl-D or /quit ends.", err=True, dim=True)
    while True:
        try:
            click.echo(nl=terminal, err=True)
            line = input("> " if terminal else "").strip()
        except (KeyboardInterrupt, EOFError) as end:
            click.echo(nl=terminal, err=True)
            if isinstance(end, EOFError):
                return
            continue
        if line == "/quit":
            return
        if line:
            yield line


# --- The check: one prompt request, measured and held against what a gateway has to do.

COMMON_WORD = re.compile(
    "about|and|are|can|describe|explain|for|from|how|tell|that|the|what|with|write"
)


@dataclass(frozen=True, slots=True)
class Measured:
    """The answer to a prompt request. Times are seconds from the request, inf for never."""

    prompt: str
    answer: str
    chunks: int
    first_byte_s: float
    first_chunk_s: float
    total_s: float
    done: bool

    @property
    def tokens_per_s(self) -> float:
        """Over the total time; four characters count as a token."""
        return len(self.answer) / 4 / (self.total_s or float("inf"))

    @property
    def shared_words(self) -> list[str]:
        """The content words of the prompt that the answer has too."""
        words = dict.fromkeys(re.findall(r"\w{3,}", self.prompt.lower()))
        said = self.answer.lower()
        return [w for w in words if not COMMON_WORD.fullmatch(w) and w.rstrip("s") in said]

    def requirements(self) -> list[tuple[bool, str]]:
        """For each requirement whether it holds, and the line that says so."""
        length, rate, words = len(self.answer), self.tokens_per_s, self.shared_words
        return [
            (length >= 1378, f"at least 1,378 characters: {length:,}"),
            (self.chunks >= 6, f"at least 6 chunks: {self.chunks:,}"),
            (self.first_byte_s < 2.4, f"first byte under 2.4 s: {self.first_byte_s:.3f} s"),
            (rate > 29, f"more than 29 tokens a second: {rate:,.1f}"),
            (self.done, f"ends with [DONE]: {'yes' if self.done else 'no'}"),
            (bool(words), f"the answer refers to the prompt: {', '.join(words) or 'no'}"),
        ]


def measure(client: Client, prompt: str) -> Measured:
    """Sends a prompt request and times its answer. Raises Failure."""
    watch = Watch()
    pieces: list[str] = []
    first_chunk_s, done = float("inf"), False
    with client.stream({"prompt": prompt}) as reads:
        for event in decode(watch.reads(reads), FORMATS["plain"]()):
            if event.event == "failed":
                raise failure_of(event)
            if event.event == "final_output_delta":
                first_chunk_s = min(first_chunk_s, watch.elapsed_s())
                pieces.append(event.text)
            done = event.event == "done"
    times = (watch.first_byte_s, first_chunk_s, watch.elapsed_s())
    return Measured(prompt, "".join(pieces), len(pieces), *times, done)


def check(client: Client, prompt: str) -> None:
    """Prints the statistics and each requirement. Raises Failure if one does not hold."""
    m = measure(client, prompt)
    click.echo(f"""\
chunks               {m.chunks:,}
characters           {len(m.answer):,}
time to first byte   {m.first_byte_s:.3f} s
time to first chunk  {m.first_chunk_s:.3f} s
total time           {m.total_s:.3f} s
tokens a second      {m.tokens_per_s:,.1f} (characters / 4, over the total time)
""")
    for holds, line in m.requirements():
        mark = click.style("ok    ", fg="green") if holds else click.style("FAIL  ", fg="red")
        click.echo(mark + line)
    if broken := sum(not holds for holds, _ in m.requirements()):
        raise Failure(f"{broken} of {len(m.requirements())} requirements do not hold")


def check_health(client: Client) -> None:
    """Prints what GET /health says. Raises Failure unless its status is ok."""
    health = client.health()
    click.echo("\n".join(readable(health)).translate(CONTROLS))
    if health.get("status") != "ok":
        raise Failure(f"{client.url} says of itself: status {health.get('status')}")


def readable(value: Any, indent: str = "") -> Iterator[str]:
    """A JSON value as indented lines, `name: value` each."""
    for name, item in value.items() if isinstance(value, dict) else enumerate(value, 1):
        if isinstance(item, dict | list) and item:
            yield f"{indent}{name}:"
            yield from readable(item, indent + "  ")
        else:
            yield f"{indent}{name}: {item if isinstance(item, str) else compact(item)}"


# --- The command line.


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--url", envvar="GATEWAY_URL", show_envvar=True, default="http://127.0.0.1:8080")
@click.option("--prompt", help="What to ask; without it, what is piped in.")
@click.option("--interactive", is_flag=True, help="A conversation; Ctrl-D or /quit ends it.")
@click.option("--health", is_flag=True, help="Say how the gateway is.")
@click.option("--check", "to_check", is_flag=True, help="Hold an answer against what is required.")
@click.option("-v", "--verbose", is_flag=True, help="Phase changes and timings, on stderr.")
@click.option("--format", type=click.Choice(list(FORMATS)), default="events")
@click.option("--events", "output", flag_value="events", help="Each event, then the answer.")
@click.option("--json", "output", flag_value="json", help="Each event as a line of JSON.")
@click.option("--model", help="The model to ask; without it, the gateway's choice.")
@click.option(
    "--reasoning", type=click.Choice(["summary", "raw", "both", "none"]), default="summary"
)
@click.option("--detail", type=click.Choice(["auto", "concise", "detailed"]), default="auto")
@click.option("--timeout", type=click.FloatRange(0.001), default=120, help="Seconds of silence.")
@click.option("--no-color", is_flag=True, help="No colour on a terminal either.")
@click.pass_context
def main(
    ctx: click.Context,
    /,
    url: str,
    prompt: str | None,
    interactive: bool,
    health: bool,
    to_check: bool,
    verbose: bool,
    output: str | None,
    model: str | None,
    timeout: float,
    no_color: bool,
    **options: str,
) -> None:
    """Ask a gateway and watch the phases of the answer arrive.

    Exit status: 0 all is well, 1 a failure, 2 a wrong command line, 130 Ctrl-C.
    """
    if interactive + health + to_check > 1:
        raise click.UsageError("give only one of --interactive, --health and --check")
    ctx.color = False if no_color or os.environ.get("NO_COLOR") else None
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what is no text becomes "?", not an error
            stream.reconfigure(errors="replace")
    url = (url if "://" in url else f"http://{url}").rstrip("/").removesuffix("/v1")
    client = Client(url, timeout, model, options, output or "sections", verbose)
    try:
        if health:
            check_health(client)
        elif to_check:
            check(client, CHECK_PROMPT if prompt is None else prompt)
        elif interactive:
            ctx.exit(converse(client, typed_prompts(prompt)))
        elif prompt is None and sys.stdin.isatty():
            click.echo(ctx.get_help())
        else:
            prompt = piped_prompt() if prompt is None else prompt
            run_turn(client, [{"role": "user", "content": prompt}], client.new_output())
    except KeyboardInterrupt:
        ctx.exit(130)


def piped_prompt() -> str:
    """All of stdin. Raises UsageError when nothing is there."""
    if prompt := sys.stdin.read().strip():
        return prompt
    raise click.UsageError("there is no prompt: give --prompt or pipe one in")


if __name__ == "__main__":
    main()
