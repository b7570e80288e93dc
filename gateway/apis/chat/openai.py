"""`openai`: nothing that a strict OpenAI client has not seen.

Reasoning goes into `reasoning_content` and, the same text, into `reasoning`, because clients read
one or the other; never beside content, and never empty. No ids and no `event:` lines: a comment
after an id makes openai-python raise.
"""

from gateway.apis.base import Answer
from gateway.apis.chat.chunks import PROMPT_SUMMARY, ChunkDialect
from gateway.core.events import PromptSummary
from gateway.core.sse import quote


class OpenAIDialect(ChunkDialect):
    waits_for_upstream = True
    shows_timings = False

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        # With the trace in the reasoning fields, the summary needs one of its own.
        self._summary_apart = answer.reasoning == "both"

    def prompt_summary(self, event: PromptSummary) -> bytes:
        role = self.say(PROMPT_SUMMARY, '{"role":"assistant","content":""}')
        return role + self.say(PROMPT_SUMMARY, self.trace(f"{event.text}\n\n"))

    def summary(self, line: str) -> str:
        # Break and text in one delta: clients skip deltas of white space alone.
        paragraph = f"{line}\n\n"
        if self._summary_apart:
            return f'{{"reasoning_summary":{quote(paragraph)}}}'
        return self.trace(paragraph)

    def end_summary(self, closing: str) -> str:
        return self.summary(closing) if closing else ""

    def trace(self, text: str) -> str:
        quoted = quote(text)
        return f'{{"reasoning_content":{quoted},"reasoning":{quoted}}}'
