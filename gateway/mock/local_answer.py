"""A real model's answer as frames: pieces in, frames out. No I/O, no torch."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gateway.mock.frames import DONE, Frame, chunk, encode, event, make_head
from gateway.mock.request import ChatRequest


class Piece(NamedTuple):
    """The text that one generated token adds; the last piece has the finish reason."""

    text: str
    tokens: int = 1
    finish_reason: str | None = None


def make_local_frames(
    request: ChatRequest, name: str, prompt_tokens: int, opening: str, pieces: Iterable[Piece]
) -> Iterator[Frame]:
    """The body, streamed or whole. `opening` is the text that the chat template has begun with."""
    head = make_head(name, request.stream)
    texts, tokens, finish_reason = [opening], 0, "stop"
    if request.stream:
        yield Frame(chunk(head, {"role": "assistant", "content": opening}))
    for piece in pieces:
        finish_reason = piece.finish_reason or finish_reason
        tokens += piece.tokens
        texts.append(piece.text)
        data = chunk(head, {"content": piece.text}) if request.stream and piece.text else b""
        yield Frame(data, piece.tokens)
    counts = {"prompt_tokens": prompt_tokens, "completion_tokens": tokens}
    usage = {**counts, "total_tokens": prompt_tokens + tokens}
    if not request.stream:
        message = {"role": "assistant", "content": "".join(texts)}
        choice = {"index": 0, "message": message, "finish_reason": finish_reason}
        yield Frame(encode({**head, "choices": [choice], "usage": usage}))
        return
    yield Frame(chunk(head, {}, finish_reason))
    if request.wants_usage:
        yield Frame(event({**head, "choices": [], "usage": usage}))
    yield DONE
