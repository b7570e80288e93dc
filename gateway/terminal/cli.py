"""The command line of the client: its options and exit statuses."""

import io
import os
import sys
from contextlib import suppress
from functools import partial

import click
from click.shell_completion import get_completion_class

from gateway.terminal.checks import CHECK_PROMPT, check, check_health
from gateway.terminal.door import Door
from gateway.terminal.formats import FORMATS
from gateway.terminal.output import EventLines, JsonLines, Output, to_nowhere, to_stderr, to_stdout
from gateway.terminal.prompts import prompts, whole_prompt
from gateway.terminal.sections import Sections
from gateway.terminal.stream import Failure, record
from gateway.terminal.turns import Asker

NAME = "client.py"
DEFAULT_URL = "http://127.0.0.1:8080"
REASONING = click.Choice(["summary", "raw", "both", "none"])
DETAIL = click.Choice(["auto", "concise", "detailed"])
SUMMARIZER = click.Choice(["extractive", "model", "off"])
COMPLETION_S = 1.0
EPILOG = """\b
Exit status:
  0    the answer is whole (or the check, or the health, is well)
  1    a failure: one line on stderr says which
  2    a wrong command line
  130  Ctrl-C

The answer goes to standard output, all else to standard error; --events, --json and --sections put
everything on standard output."""


def complete_models(ctx: click.Context, _: click.Parameter, begun: str) -> list[str]:
    """The gateway's models whose names begin so; none if it does not answer at once."""
    url = base_url(ctx.params.get("url") or DEFAULT_URL)
    with suppress(Failure):
        door = Door(url, COMPLETION_S, ctx.params.get("api_key"))
        names = [str(record(model).get("id")) for model in door.get("/v1/models").get("data") or ()]
        return [name for name in names if name.startswith(begun)]
    return []


def print_completion(ctx: click.Context, _: click.Parameter, shell: str | None) -> None:
    """Prints the shell's completion script and ends."""
    if shell and (kind := get_completion_class(shell)):
        variable = f"_{NAME.replace('.', '_').upper()}_COMPLETE"
        click.echo(kind(main, {}, NAME, variable).source())
        ctx.exit()


def base_url(url: str) -> str:
    """The gateway's address, whether or not it was given with http:// and /v1."""
    return (url if "://" in url else f"http://{url}").rstrip("/").removesuffix("/v1")


@click.command(
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, epilog=EPILOG
)
@click.option(
    "--url", envvar="GATEWAY_URL", show_envvar=True, default=DEFAULT_URL, help="The gateway."
)
@click.option("--api-key", envvar="GATEWAY_API_KEY", show_envvar=True, help="Sent as Bearer.")
@click.option("--prompt", help="What to ask; what is piped in is added below it.")
@click.option("--interactive", is_flag=True, help="A conversation; Ctrl-D or /quit ends it.")
@click.option("--health", is_flag=True, help="Say how the gateway is.")
@click.option("--check", "to_check", is_flag=True, help="Hold an answer against what is required.")
@click.option("--model", shell_complete=complete_models, help="Without it, the gateway's choice.")
@click.option(
    "--format",
    type=click.Choice(list(FORMATS)),
    default="events",
    help="How the answer is asked for.",
)
@click.option("--reasoning", type=REASONING, default="summary", help="What to show of it.")
@click.option("--detail", type=DETAIL, default="auto", help="How long the summary may be.")
@click.option("--summarizer", type=SUMMARIZER, help="Without it, the gateway's own.")
@click.option("--events", "output", flag_value="events", help="Each event, then the answer.")
@click.option("--json", "output", flag_value="json", help="Each event as a line of JSON.")
@click.option("--sections", "output", flag_value="sections", help="Each phase under a heading.")
@click.option("-q", "--quiet", "output", flag_value="quiet", help="The answer alone.")
@click.option("--timeline", is_flag=True, help="At the end, what took how long.")
@click.option("-v", "--verbose", is_flag=True, help="Phase changes and timings.")
@click.option("--timeout", type=click.FloatRange(0.001), default=120, help="Seconds of silence.")
@click.option("--no-color", is_flag=True, help="No colour, as with NO_COLOR in the environment.")
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
    to_check: bool,
    model: str | None,
    format: str,
    reasoning: str,
    detail: str,
    summarizer: str | None,
    output: str | None,
    timeline: bool,
    verbose: bool,
    timeout: float,
    no_color: bool,
) -> None:
    """Ask a gateway and watch the phases of the answer arrive."""
    if interactive + health + to_check > 1:
        raise click.UsageError("give only one of --interactive, --health and --check")
    colour = not (no_color or os.environ.get("NO_COLOR"))
    ctx.color = None if colour else False
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what is no text becomes "?", not an error
            stream.reconfigure(errors="replace")
    door = Door(base_url(url), timeout, api_key)
    options = {"reasoning": reasoning, "detail": detail}
    options |= {"summarizer": summarizer} if summarizer else {}
    output = output or kind_of_output(reasoning)
    if output == "screen" and reasoning == "summary" and FORMATS[format].live_with_trace:
        options["reasoning"] = "both"  # the trace is not shown; it is counted while it grows
    make = partial(new_output, output, reasoning, colour)
    asker = Asker(door, format, model, options, make, verbose, timeline)
    try:
        if health:
            check_health(door)
        elif to_check:
            check(door, model, CHECK_PROMPT if prompt is None else prompt)
        elif interactive:
            ctx.exit(asker.converse(prompts(prompt)))
        elif prompt is None and has_terminal():
            click.echo(ctx.get_help())
        elif (asked := whole_prompt(prompt)) is None:
            raise click.UsageError("there is no prompt: give --prompt or pipe one in")
        else:
            asker.turn([{"role": "user", "content": asked}], make())
    except KeyboardInterrupt:
        ctx.exit(130)


def has_terminal() -> bool:
    """Is a person at the keyboard?"""
    return sys.stdin.isatty()


def kind_of_output(reasoning: str) -> str:
    """The output when none is named, by what stdout and stderr are and by what is asked for."""
    traced = reasoning in ("raw", "both")
    moves = sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    if moves and (sys.stdout.isatty() or not traced):
        return "screen"
    return "sections" if traced else "answer"


def new_output(kind: str, reasoning: str, colour: bool) -> Output:
    """The output of one turn."""
    if kind == "events":
        return EventLines()
    if kind == "json":
        return JsonLines()
    if kind == "screen":
        from gateway.terminal.screen import Screen  # here, because rich's import takes its time

        return Screen(reasoning, colour)
    return Sections(reasoning, {"sections": to_stdout, "quiet": to_nowhere}.get(kind, to_stderr))
