"""The command line of the client: options and exit statuses."""

import io
import os
import sys
from contextlib import suppress
from functools import partial
from typing import Any

import click
from click.shell_completion import get_completion_class

from gateway.terminal.check import DEFAULT_PROMPT, run_check
from gateway.terminal.conversation import Conversation
from gateway.terminal.errors import ClientError
from gateway.terminal.events import as_dict
from gateway.terminal.formats import FORMATS
from gateway.terminal.gateway_client import GatewayClient
from gateway.terminal.health import show_health
from gateway.terminal.output import EventLines, JsonLines, Output, discard, to_stderr, to_stdout
from gateway.terminal.prompts import read_prompt, read_prompts
from gateway.terminal.sections import Sections
from gateway.terminal.turn_runner import TurnRunner

PROGRAM = "client.py"
DEFAULT_URL = "http://127.0.0.1:8080"
REASONING = click.Choice(["summary", "raw", "both", "none"])
DETAIL = click.Choice(["auto", "concise", "detailed"])
SUMMARIZER = click.Choice(["extractive", "model", "off"])
COMPLETION_TIMEOUT_S = 1.0
EPILOG = """\b
Keys, while the model thinks and the screen is live:
  a    answer now: the thinking ends, and the answer comes

\b
Exit status:
  0    the answer is complete (--check: every requirement is met; --health: ok)
  1    a failure, explained in one line on stderr
  2    invalid command line
  130  interrupted by Ctrl-C

The answer goes to standard output, everything else to standard error; --events, --json and
--sections write everything to standard output."""


def complete_models(ctx: click.Context, _: click.Parameter, prefix: str) -> list[str]:
    """The gateway's models whose names start with the prefix; empty if it does not respond."""
    url = base_url(ctx.params.get("url") or DEFAULT_URL)
    with suppress(ClientError):
        client = GatewayClient(url, COMPLETION_TIMEOUT_S, ctx.params.get("api_key"))
        models = client.get("/v1/models").get("data") or ()
        names = [str(as_dict(model).get("id")) for model in models]
        return [name for name in names if name.startswith(prefix)]
    return []


def print_completion(ctx: click.Context, _: click.Parameter, shell: str | None) -> None:
    """Prints the shell's completion script and exits."""
    if shell and (completion := get_completion_class(shell)):
        variable = f"_{PROGRAM.replace('.', '_').upper()}_COMPLETE"
        click.echo(completion(main, {}, PROGRAM, variable).source())
        ctx.exit()


def base_url(url: str) -> str:
    """The address with a scheme and without /v1."""
    return (url if "://" in url else f"http://{url}").rstrip("/").removesuffix("/v1")


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, epilog=EPILOG
)
@click.option(
    "--url",
    envvar="GATEWAY_URL",
    show_envvar=True,
    default=DEFAULT_URL,
    help="Address of the gateway.",
)
@click.option(
    "--api-key", envvar="GATEWAY_API_KEY", show_envvar=True, help="Key, sent as a Bearer token."
)
@click.option("--prompt", help="The prompt; piped input is added below it.")
@click.option("--interactive", is_flag=True, help="Start a conversation; Ctrl-D ends it.")
@click.option("--health", is_flag=True, help="Show the health of the gateway.")
@click.option("--check", is_flag=True, help="Measure an answer and check the requirements.")
@click.option(
    "--model", shell_complete=complete_models, help="If omitted, the gateway chooses the model."
)
@click.option(
    "--format", type=click.Choice(list(FORMATS)), default="events", help="Format to request."
)
@click.option("--reasoning", type=REASONING, default="summary", help="Which reasoning to show.")
@click.option("--detail", type=DETAIL, default="auto", help="Length of the summary.")
@click.option(
    "--thinking-budget",
    type=click.IntRange(0),
    metavar="TOKENS",
    help="How long the model may think; 0: not at all.",
)
@click.option(
    "--summarizer", type=SUMMARIZER, help="If omitted, the gateway chooses the summarizer."
)
@click.option("--keep", is_flag=True, help="Keep the stream, so that it can be read again.")
@click.option("--resume", metavar="ID", help="Read a kept stream, under way or ended.")
@click.option("--events", "output", flag_value="events", help="Print events, then the answer.")
@click.option("--json", "output", flag_value="json", help="Print each event as a line of JSON.")
@click.option(
    "--sections", "output", flag_value="sections", help="Print each phase under a heading."
)
@click.option("-q", "--quiet", "output", flag_value="quiet", help="Print only the answer.")
@click.option("--timeline", is_flag=True, help="At the end, show how long each phase took.")
@click.option("-v", "--verbose", is_flag=True, help="Print phase changes and timings.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.001),
    default=120,
    help="Give up after this many seconds without data.",
)
@click.option("--no-color", is_flag=True, help="Print no colour, like NO_COLOR.")
@click.option(
    "--completion",
    type=click.Choice(["bash", "zsh", "fish"]),
    callback=print_completion,
    is_eager=True,
    expose_value=False,
    help="Print the completion script of a shell.",
)
@click.pass_context
def main(
    ctx: click.Context,
    /,
    url: str,
    api_key: str | None,
    prompt: str | None,
    interactive: bool,
    health: bool,
    check: bool,
    model: str | None,
    format: str,
    reasoning: str,
    detail: str,
    thinking_budget: int | None,
    summarizer: str | None,
    keep: bool,
    resume: str | None,
    output: str | None,
    timeline: bool,
    verbose: bool,
    timeout: float,
    no_color: bool,
) -> None:
    """Ask a gateway and watch the phases of the answer arrive."""
    if interactive + health + check + (resume is not None) > 1:
        raise click.UsageError("use only one of --interactive, --health, --check and --resume")
    colour = not (no_color or os.environ.get("NO_COLOR"))
    ctx.color = None if colour else False
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # undecodable text becomes "?", not an error
            stream.reconfigure(errors="replace")
    client = GatewayClient(base_url(url), timeout, api_key)
    options: dict[str, Any] = {"reasoning": reasoning, "detail": detail}
    options |= {} if thinking_budget is None else {"thinking_budget": thinking_budget}
    options |= {"summarizer": summarizer} if summarizer else {}
    options |= {"keep": True} if keep else {}
    output = output or default_output(reasoning)
    if output == "screen" and reasoning == "summary" and FORMATS[format].live_with_trace:
        options["reasoning"] = "both"  # the trace is not shown, only counted
    new_output = partial(make_output, output, reasoning, colour)
    runner = TurnRunner(client, format, model, options, new_output, verbose, timeline)
    try:
        if health:
            show_health(client)
        elif check:
            run_check(client, model, DEFAULT_PROMPT if prompt is None else prompt)
        elif interactive:
            ctx.exit(Conversation(runner).run(read_prompts(prompt)))
        elif resume is not None:
            runner.resume(resume, new_output())
        elif prompt is None and stdin_is_terminal():
            click.echo(ctx.get_help())
        elif (text := read_prompt(prompt)) is None:
            raise click.UsageError("no prompt: use --prompt or pipe one in")
        else:
            runner.run([{"role": "user", "content": text}], new_output())
    except KeyboardInterrupt:
        ctx.exit(130)


def stdin_is_terminal() -> bool:
    return sys.stdin.isatty()


def default_output(reasoning: str) -> str:
    """The output if no option names one: a live screen where stderr can show it."""
    trace = reasoning in ("raw", "both")
    movable = sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    if movable and (sys.stdout.isatty() or not trace):
        return "screen"
    return "sections" if trace else "answer"


def make_output(kind: str, reasoning: str, colour: bool) -> Output:
    """The output for one turn."""
    if kind == "events":
        return EventLines()
    if kind == "json":
        return JsonLines()
    if kind == "screen":
        from gateway.terminal.screen import Screen  # imported here because rich loads slowly

        return Screen(reasoning, colour)
    write = {"sections": to_stdout, "quiet": discard}.get(kind, to_stderr)
    stream = sys.stdout if kind == "sections" else sys.stderr
    return Sections(reasoning, write, is_live=stream.isatty())
