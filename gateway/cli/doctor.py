"""`reasoning-gateway doctor`: asks each model server, and says what to change.

It says before each step that waits what it waits for, and for how long at most.
"""

import sys
import time
import uuid
from collections.abc import Iterator

import click

from gateway.cli.findings import MAX_TOKENS, PROMPT, Finding, Observed, about_answer
from gateway.cli.time_limit import OutOfTime, time_limit
from gateway.config import Config, UpstreamConfig, ignored, is_glob
from gateway.core.families import Families
from gateway.core.parts import Part
from gateway.errors import (
    ConfigError,
    GatewayError,
    UpstreamBroke,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.loaded import load_config
from gateway.routing.client import ModelListing, UpstreamClient
from gateway.routing.clients import client_maker

_LIST_S = 10.0
_SILENCES = 2
"""An answer may be silent for the given time, and fall silent again at the end of it."""
_SIGNS = {"ok": ("✓", "green"), "hint": ("!", "yellow"), "fault": ("✗", "red")}
_WAITING = ("…", "...")


def run(model: str | None, timeout_s: float) -> int:
    """Prints what is found; returns the exit status. model: None for the first that is listed."""
    try:
        config = load_config()
    except ConfigError as error:
        _show(Finding("fault", f"settings: {error}"))
        return 1
    _show(Finding("ok", "the settings are valid"))
    for sentence in ignored():
        _show(Finding("hint", sentence))
    make_client = client_maker(config)
    has_fault = False
    for upstream in config.effective_upstreams:
        click.echo(f"\n{upstream.name}  {upstream.shown_url}")
        for finding in _examine(config, upstream, make_client(upstream), model, timeout_s):
            _show(finding)
            has_fault = has_fault or finding.level == "fault"
    return int(has_fault)


def _examine(
    config: Config,
    upstream: UpstreamConfig,
    client: UpstreamClient,
    model: str | None,
    timeout_s: float,
) -> Iterator[Finding]:
    listing: ModelListing | None = None
    _say_waiting("asking for its models", _LIST_S)
    try:
        with time_limit(_LIST_S):
            listing = client.list_models(_LIST_S)
    except (OutOfTime, UpstreamTimeout) as error:
        yield _about_silence(error)
        return
    except UpstreamRefused as error:
        yield _about_refusal(error, upstream)
        if error.cause == "key":
            return
    except GatewayError as error:
        yield Finding("fault", error.message, _advice(error))
        if isinstance(error, UpstreamUnreachable):
            return
    if listing is not None:
        yield _about_models(client, listing)
    asked = model or _model_to_ask(upstream, listing)
    if asked is None:
        yield Finding("fault", "there is no model to ask", "name one with --model")
        return
    family = Families(config).find(asked)
    yield Finding("ok", f"model {asked}, of the family {family.name}")
    _say_waiting("asking for a short answer", _SILENCES * timeout_s)
    try:
        observed = _ask(client, asked, timeout_s)
    except UpstreamTimeout as error:
        yield Finding("fault", error.message, "a longer --timeout helps if it is only slow")
        return
    except GatewayError as error:
        yield Finding("fault", f"it does not answer: {error.message}", _advice(error))
        return
    yield from about_answer(observed, Families(config).reading(upstream.name, asked), family)


def _about_models(client: UpstreamClient, listing: ModelListing) -> Finding:
    kind = listing.kind
    if kind is None:
        _say_waiting("finding out which kind of server it is", _LIST_S)
        try:
            with time_limit(_LIST_S):
                kind = client.find_kind(_LIST_S)
        except (OutOfTime, GatewayError):
            pass
    count = len(listing.models)
    name = f" ({kind.name})" if kind is not None and kind.name != "chat" else ""
    if not count:
        return Finding("fault", f"it lists no models{name}", "load a model on the server")
    return Finding("ok", f"it lists {count} {'model' if count == 1 else 'models'}{name}")


def _about_silence(error: OutOfTime | UpstreamTimeout) -> Finding:
    if isinstance(error, UpstreamTimeout) and error.code == "upstream_connect_timeout":
        return Finding("fault", error.message, "a firewall between may drop the connections")
    return Finding(
        "fault",
        f"it accepts connections, but has not answered within {_LIST_S:.0f} s",
        "it may still load its model, or hang: look at its log",
    )


def _about_refusal(error: UpstreamRefused, upstream: UpstreamConfig) -> Finding:
    if error.cause == "key":
        setting = upstream.api_key_env or "api_key, or UPSTREAM_API_KEY"
        return Finding("fault", error.message, f"set {setting}")
    if error.upstream_status == 404:
        return Finding(
            "hint",
            f"it has no list of models: {error.message}",
            "if the server has one, the address may lack `/v1`",
        )
    return Finding("hint", f"it does not list its models: {error.message}")


def _model_to_ask(upstream: UpstreamConfig, listing: ModelListing | None) -> str | None:
    """The upstream's own name of a model that clients can ask for."""
    for own_name, _ in listing.models if listing else ():
        if upstream.public_names(own_name):
            return own_name
    named = (upstream.own_name(name) for name in upstream.names if not is_glob(name))
    return next(named, None)


def _ask(client: UpstreamClient, model: str, timeout_s: float) -> Observed:
    """Asks for a short streamed answer. Raises GatewayError."""
    body = {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": MAX_TOKENS}
    reader = client.upstream.reader()
    parts: list[Part] = []
    times: list[float] = []
    began = time.monotonic()
    call = client.upstream.completion(body, model, str(uuid.uuid4()))
    last = began
    try:
        with (
            time_limit(_SILENCES * timeout_s),
            client.transport.send(call, timeout_s) as reply,
        ):
            if not 200 <= reply.status < 300:
                said = b"".join(reply.error_body())
                raise client.upstream.refusal(reply.status, reply.headers, said, call.url)
            last = time.monotonic()
            for lines in reply.batches():
                last = time.monotonic()
                if found := reader.feed(lines):
                    times.append(last - began)
                    parts += found
                if last - began > timeout_s:
                    break
    except (OutOfTime, UpstreamBroke) as error:
        silent_s = time.monotonic() - last
        if isinstance(error, UpstreamBroke) and silent_s < timeout_s:
            raise
        said_what = (
            "fell silent in the middle of its answer" if last > began else "has not answered"
        )
        raise UpstreamTimeout(f"it {said_what}, for {silent_s:.0f} s") from error
    parts += reader.close()
    return Observed(parts, reader.frames, times, reader.reasoning_field)


def _advice(error: GatewayError) -> str:
    if isinstance(error, UpstreamUnreachable):
        return "start the server, or set UPSTREAM_URL (or `url` in its table) to its address"
    if isinstance(error, UpstreamRefused) and error.upstream_status == 404:
        return "the address may lack `/v1`, or the server has no such model"
    return ""


def _show(finding: Finding) -> None:
    sign, colour = _SIGNS[finding.level]
    if not _can_show_signs():
        sign = finding.level
    click.echo(f"  {click.style(sign, fg=colour)} {finding.text}")
    if finding.advice:
        click.echo(f"      {finding.advice}")


def _say_waiting(what: str, seconds: float) -> None:
    sign = _WAITING[0 if _can_show_signs() else 1]
    click.echo(f"  {sign} {what}, for up to {seconds:.0f} s")


def _can_show_signs() -> bool:
    return (sys.stdout.encoding or "").lower().startswith("utf")
