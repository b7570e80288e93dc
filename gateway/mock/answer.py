"""A scripted answer's body as frames, changed by the model's fault. No I/O, no waiting."""

from collections.abc import Iterator
from typing import Any

from gateway.mock.deltas import make_deltas, merge, whole_message
from gateway.mock.faults import CUTS, middle
from gateway.mock.frames import (
    DONE,
    Delta,
    Frame,
    Plan,
    chunk,
    encode,
    event,
    make_head,
    split_tokens,
)
from gateway.mock.models import Script
from gateway.mock.request import ChatRequest, Playback


def make_frames(request: ChatRequest, script: Script, playback: Playback) -> Iterator[Frame]:
    """The body, streamed or whole, from the first byte to the last."""
    complete = make_deltas(request, script, playback)
    deltas = complete[: request.token_limit]
    finish_reason = "tool_calls" if deltas[-1].key == "tool_calls" else script.finish_reason
    if len(deltas) < len(complete):
        finish_reason = "length"
    head = make_head(request.model, request.stream)
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
    for item in script.fault([*plan, DONE]):
        if isinstance(item, Delta):
            item = Frame(chunk(head, {item.key: item.value}), item.tokens)
        yield item._replace(data=script.rewrite_frame(item.data)) if item.data else item


def whole_answer(body: bytes, tokens: int, script: Script, playback: Playback) -> Iterator[Frame]:
    """A body that is not streamed, after the time that the model needs for its tokens."""
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
