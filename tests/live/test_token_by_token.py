"""Nothing is buffered: the upstream sends a token only after the client has the previous one."""

import threading
from itertools import chain

import pytest

from tests.live.upstream import CHUNKED, DONE, FINISH, Upstream, chunked, say
from tests.live.wire import Frame, ask, parse_stream, request_body
from tests.programs import DRIVERS, start_gateway

THOUGHTS = ["<think>", "I", " should", ' say "so"', " and", " no", " more", ".", "</think>"]
ANSWER = ["So", " it", " is", ' "quoted"', " here", "\n and", " <b>", " é", *[" more"] * 30]


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("format", ["openai", "phased", "events"])
def test_each_token_arrives_before_the_next_is_sent(driver: str, format: str) -> None:
    tokens = [*THOUGHTS, *ANSWER]
    arrived = [threading.Event() for _ in tokens]
    pieces = chunked(say(*tokens), end=False)
    script = [CHUNKED, *chain.from_iterable(zip(pieces, arrived, strict=True))]
    options = {"format": format, "reasoning": "raw"}
    with Upstream() as upstream, start_gateway(upstream.url, relay_driver=driver) as gateway:
        upstream.set_script("slow", *script, *chunked([FINISH, DONE]))
        with ask(gateway.url, request_body("slow", gateway=options)) as stream:
            count, text = 0, ""
            for frame in stream:
                text += text_of(frame)
                while count < len(tokens) and text == without_tags(tokens[: count + 1]):
                    arrived[count].set()
                    count += 1
            result = parse_stream(format, stream.frames, "raw")
    assert result.answer == "".join(ANSWER)
    assert result.trace == without_tags(THOUGHTS)


def without_tags(tokens: list[str]) -> str:
    """The text without its tags."""
    return "".join(token for token in tokens if token not in ("<think>", "</think>"))


def text_of(frame: Frame) -> str:
    """The text of the trace or the answer in the frame."""
    if frame.event in ("reasoning_delta", "final_output_delta"):
        return str(frame.json["text"])
    if frame.data == "[DONE]" or '"phase":"prompt_summary"' in frame.data or frame.event:
        return ""
    [choice] = frame.json["choices"] or [{"delta": {}}]
    return choice["delta"].get("content") or choice["delta"].get("reasoning_content") or ""
