"""One turn in every format, as the contract describes it, and what the client prints of it."""

import json
from collections.abc import Callable
from typing import Any


def named_event(name: str, data: Any, number: int = 1) -> bytes:
    """An event of the `events` format."""
    return f"id: {number}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()


def data(value: Any) -> bytes:
    """An event without a name; a str is sent as it is."""
    return f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n".encode()


def chunk(
    phase: str, delta: dict[str, Any], finish_reason: str | None = None, **more: Any
) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "default"}
    return data({**head, "choices": [choice], "phase": phase, **more})


def phase_event(phase: str) -> bytes:
    """The empty chunk with which `phased` announces a phase."""
    return b"event: phase\n" + chunk(phase, {})


DONE_DATA = {"finish_reason": "stop", "usage": None, "timings": {"total_ms": 9}}
FAILURE = {"error": {"message": "The upstream closed the connection.", "type": "upstream_error"}}
SUMMARY_LINES = ["Two numbers are to be added.", "They make 4."]
FULL_SUMMARY = "The sum of 2 and 2 is 4."
REASONING_TEXTS = ["Let me think.\n", "2+2 is 4.\n\n"]


def events_stream(reasoning: str, summary: str = FULL_SUMMARY) -> bytes:
    frames = [named_event("prompt_summary", {"text": "What is 2+2?", "ttft_ms": 1})]
    for line, text in zip(SUMMARY_LINES, REASONING_TEXTS, strict=True):
        if reasoning in ("raw", "both"):
            frames.append(named_event("reasoning_delta", {"text": text}))
        if reasoning in ("summary", "both"):
            frames.append(named_event("reasoning_summary_delta", {"text": line + "\n"}))
    if reasoning in ("summary", "both"):
        frames.append(named_event("reasoning_summary", {"text": summary}))
    frames.append(b'event: heartbeat\ndata: {"elapsed_ms":15000}\n\n')
    frames += [
        named_event("final_output_delta", {"text": text}) for text in ("The answer\n\n", "is 4.")
    ]
    return b"".join(frames) + named_event("done", DONE_DATA)


def phased_stream(reasoning: str) -> bytes:
    first = {"role": "assistant", "content": "[Prompt Summary] What is 2+2?\n\n"}
    frames = [
        phase_event("prompt_summary"),
        chunk("prompt_summary", first, ttft_ms=1),
        b": ping\n\n",
    ]
    label = "[Reasoning Summary] "
    for line, text in zip(SUMMARY_LINES, REASONING_TEXTS, strict=True):
        if reasoning in ("raw", "both"):
            frames.append(chunk("reasoning", {"reasoning_content": text}))
        if reasoning in ("summary", "both"):
            frames += [phase_event("reasoning_summary")] if label else []
            frames.append(chunk("reasoning_summary", {"content": f"{label}{line}\n"}))
            label = ""
    if not label:
        frames.append(chunk("reasoning_summary", {"content": "\n"}))
    frames.append(phase_event("final_output"))
    frames += [chunk("final_output", {"content": text}) for text in ("The answer\n\n", "is 4.")]
    frames.append(chunk("final_output", {}, "stop", timings={"total_ms": 9}))
    return b"".join(frames) + data("[DONE]")


def openai_stream(reasoning: str) -> bytes:
    def both_fields(text: str) -> dict[str, Any]:
        return {"reasoning_content": text, "reasoning": text}

    frames = [chunk("prompt_summary", {"role": "assistant", "content": ""})]
    frames.append(chunk("prompt_summary", both_fields("What is 2+2?\n\n")))
    for line, text in zip(SUMMARY_LINES, REASONING_TEXTS, strict=True):
        if reasoning in ("raw", "both"):
            frames.append(chunk("reasoning", both_fields(text)))
        if reasoning == "summary":
            frames.append(chunk("reasoning_summary", both_fields(f"{line}\n\n")))
        if reasoning == "both":
            frames.append(chunk("reasoning_summary", {"reasoning_summary": f"{line}\n\n"}))
    frames += [chunk("final_output", {"content": text}) for text in ("The answer\n\n", "is 4.")]
    frames.append(chunk("final_output", {}, "stop"))
    return b"".join(frames) + data("[DONE]")


def plain_stream(
    reasoning: str = "", texts: tuple[str, ...] = ("The answer\n\n", "is 4.")
) -> bytes:
    events = [data({"choices": [{"delta": {"content": text}}]}) for text in texts]
    return b": connected\n\n" + b"".join(events) + data("[DONE]")


def content_block(index: int, kind: str, head: Any, *deltas: dict[str, Any]) -> list[bytes]:
    """The events of one content block of the Messages API."""
    start = {"index": index, "content_block": {"type": kind, **head}}
    frames = [("content_block_start", start)]
    frames += [("content_block_delta", {"index": index, "delta": delta}) for delta in deltas]
    return [typed_event(*frame) for frame in [*frames, ("content_block_stop", {"index": index})]]


def typed_event(name: str, more: dict[str, Any]) -> bytes:
    """An event of the Messages or Responses API, whose data repeats its name."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **more})}\n\n".encode()


def responses_stream(reasoning: str) -> bytes:
    def part(index: int, text: str) -> bytes:
        where = {"summary_index": index, "output_index": 0}
        delta = typed_event("response.reasoning_summary_text.delta", {**where, "delta": text})
        return delta + typed_event("response.reasoning_summary_text.done", {**where, "text": text})

    with_summary, with_trace = reasoning in ("summary", "both"), reasoning in ("raw", "both")
    created = typed_event("response.created", {"response": {"status": "in_progress"}})
    frames = [created, part(0, "What is 2+2?")]
    for index, (line, text) in enumerate(zip(SUMMARY_LINES, REASONING_TEXTS, strict=True), 1):
        trace = typed_event("response.reasoning_text.delta", {"delta": text})
        frames += [trace] * with_trace + [part(index, line)] * with_summary
    frames.append(typed_event("keepalive", {}))
    texts = ("The answer\n\n", "is 4.")
    frames += [typed_event("response.output_text.delta", {"delta": text}) for text in texts]
    details = {"output_tokens_details": {"reasoning_tokens": 4}}
    usage = {"input_tokens": 5, "output_tokens": 9, **details}
    return b"".join(frames) + typed_event("response.completed", {"response": {"usage": usage}})


def messages_stream(reasoning: str) -> bytes:
    def thinking(text: str) -> dict[str, Any]:
        return {"type": "thinking_delta", "thinking": text}

    with_trace = reasoning in ("raw", "both")
    frames = [typed_event("message_start", {"message": {"usage": {"input_tokens": 5}}})]
    frames.append(typed_event("ping", {}))
    blocks = [["What is 2+2?\n\n"]]
    if with_trace:
        blocks.append(REASONING_TEXTS)
    elif reasoning == "summary":
        blocks.append([f"{line}\n\n" for line in SUMMARY_LINES])
    if reasoning == "both":
        blocks.append([FULL_SUMMARY])
    for index, texts in enumerate(blocks):
        signature = {"type": "signature_delta", "signature": "x"}
        frames += content_block(index, "thinking", {}, *map(thinking, texts), signature)
    texts = [{"type": "text_delta", "text": text} for text in ("The answer\n\n", "is 4.")]
    frames += content_block(len(blocks), "text", {"text": ""}, *texts)
    usage = {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}
    frames.append(
        typed_event("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": usage})
    )
    return b"".join(frames) + typed_event("message_stop", {})


STREAMS: dict[str, Callable[[str], bytes]] = {
    "events": events_stream,
    "phased": phased_stream,
    "openai": openai_stream,
    "plain": plain_stream,
    "responses": responses_stream,
    "messages": messages_stream,
}

PROMPT_SECTION = "[PROMPT]\nWhat is 2+2?\n\n"
REASONING_SECTION = "[REASONING]\nLet me think.\n2+2 is 4.\n\n"
LIVE_LINES = "Two numbers are to be added.\nThey make 4.\n\n"
ANSWER_SECTION = "[FINAL RESPONSE]\nThe answer\n\nis 4.\n"
