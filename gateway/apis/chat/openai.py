"""`openai`: chunks that a strict OpenAI client accepts.

Reasoning is sent in `reasoning_content` and, the same text, in `reasoning`, because clients read
one or the other. A delta with reasoning has no content, and no delta is empty. There are no ids and
no `event:` lines: openai-python raises at a comment that follows an id.
"""

from gateway.apis.base import Answer
from gateway.apis.chat.chunks import PROMPT_SUMMARY, ChunkDialect
from gateway.core.events import PromptSummary
from gateway.core.sse import quote


class OpenAIDialect(ChunkDialect):
    """Encodes the summaries and the trace as reasoning, without the gateway's own events."""

    waits_for_upstream = True
    shows_timings = False

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        # In `both` the reasoning fields hold the trace, so the summary has its own field.
        self._has_summary_field = answer.reasoning == "both"

    def prompt_summary(self, event: PromptSummary) -> bytes:
        role = self.chunk_in(PROMPT_SUMMARY, '{"role":"assistant","content":""}')
        if event.continues:
            return role
        return role + self.chunk_in(PROMPT_SUMMARY, self.trace(f"{event.text}\n\n"))

    def summary(self, line: str) -> str:
        # The blank line is in the delta of its text: clients skip deltas of white space alone.
        paragraph = f"{line}\n\n"
        if self._has_summary_field:
            return f'{{"reasoning_summary":{quote(paragraph)}}}'
        return self.trace(paragraph)

    def end_summary(self, closing: str) -> str:
        return self.summary(closing) if closing else ""

    def trace(self, text: str) -> str:
        quoted = quote(text)
        return f'{{"reasoning_content":{quoted},"reasoning":{quoted}}}'
