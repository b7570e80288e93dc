"""`plain`: the answer alone."""

from collections.abc import Sequence

from gateway.apis.base import Dialect
from gateway.apis.chat.completion import Completion
from gateway.core.events import Done, Event, Failed, OutputDelta
from gateway.core.finish_reasons import meaning_of
from gateway.core.sse import comment, dumps, frame, quote
from gateway.errors import ErrorInfo


class PlainDialect(Dialect):
    """Encodes the pieces of the answer, errors, and an unusual end; nothing else."""

    non_streamed = Completion
    refuses_with_event = True
    not_json = "No JSON body provided"

    def begin(self) -> bytes:
        # The answer may take long to begin. The comment shows proxies and clients an open stream.
        return comment("connected")

    def encode(self, number: int, events: Sequence[Event]) -> bytes:
        return b"".join(map(_encode, events))

    @classmethod
    def refuse(cls, error: ErrorInfo, request_id: str) -> tuple[str, str]:
        return cls.content_type, _error(error).decode()


def _encode(event: Event) -> bytes:
    match event:
        case OutputDelta(text):
            return frame(f'{{"choices":[{{"delta":{{"content":{quote(text)}}}}}]}}')
        case Done(finish_reason):
            end = frame("[DONE]")
            if meaning_of(finish_reason) == "finished":
                return end
            # The clients of this format read `content` in every chunk.
            choice = f'{{"delta":{{"content":""}},"finish_reason":{quote(finish_reason)}}}'
            return frame(f'{{"choices":[{choice}]}}') + end
        case Failed(error):
            return _error(error)
    return b""


def _error(error: ErrorInfo) -> bytes:
    message = f"Server error: {error.message}" if error.status == 500 else error.message
    return frame(dumps({"error": message, "code": error.status}))
