"""A scripted answer's body as frames, changed by the model's fault. No I/O, no waiting."""

from collections.abc import Callable, Iterator
from typing import Any

from gateway.mock.deltas import make_deltas, merge, whole_message
from gateway.mock.faults import CUTS, cut_answer, middle
from gateway.mock.frames import (
    DONE,
    Delta,
    Frame,
    Plan,
    chunk,
    encode,
    event,
    split_tokens,
)
from gateway.mock.kinds import Thinking
from gateway.mock.models import Script
from gateway.mock.request import ChatRequest, Playback


def make_frames(
    request: ChatRequest,
    script: Script,
    playback: Playback,
    thinking: Thinking,
    head: dict[str, Any],
    thinking_ends: Callable[[], bool],
) -> Iterator[Frame]:
    """The frames of the whole body, streamed or not.

    head: the members that every chunk repeats. thinking_ends: true once the client has asked for
    the answer.
    """
    after = script.markup.after if script.markup else ""
    complete = thinking.applied(make_deltas(request, script, playback), after)
    deltas = complete[: request.token_limit]
    ends_in_call = any(delta.key == "tool_calls" for delta in deltas[-1:])
    finish_reason = "tool_calls" if ends_in_call else script.finish_reason
    if len(deltas) < len(complete):
        finish_reason = "length"
    usage = {**head, "choices": [], "usage": count_usage(request, deltas)}
    if not request.stream:
        choice = {"index": 0, "message": whole_message(deltas), "finish_reason": finish_reason}
        body = encode({**usage, "choices": [choice]})
        yield from whole_answer(body, len(deltas), script, playback)
        return
    plan: Plan = [Frame(chunk(head, {"role": "assistant", "content": ""}))]
    plan += merge(deltas, playback.tokens_per_frame)
    if playback.silence_s:
        plan.insert(middle(plan, reasoning=True), Frame(pause_s=playback.silence_s))
    plan.append(Frame(chunk(head, {}, finish_reason)))
    if request.wants_usage:
        plan.append(Frame(event(usage)))
    breaks = thinking.quirk == "breaks" and thinking.is_over
    for item in (cut_answer if breaks else script.fault)([*plan, DONE]):
        if isinstance(item, Delta):
            if item.reasoning and thinking_ends():
                continue
            item = Frame(chunk(head, {item.key: item.value}), item.tokens)
        yield item._replace(data=script.rewrite_frame(item.data)) if item.data else item


def whole_answer(body: bytes, tokens: int, script: Script, playback: Playback) -> Iterator[Frame]:
    """The frames of a body that is not streamed: a pause for all its tokens, then the body."""
    speed = playback.tokens_per_second
    yield Frame(pause_s=playback.silence_s + (tokens / speed if speed else 0))
    if script.fault in CUTS:
        yield Frame(body[: len(body) // 2])
        yield Frame(cut=True)
    yield Frame(body, tokens)


def count_usage(request: ChatRequest, deltas: list[Delta]) -> dict[str, Any]:
    """The usage object; a delta counts as one token."""
    prompt = sum(len(split_tokens(message.text())) for message in request.messages)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": len(deltas),
        "total_tokens": prompt + len(deltas),
        "completion_tokens_details": {"reasoning_tokens": sum(d.reasoning for d in deltas)},
    }
