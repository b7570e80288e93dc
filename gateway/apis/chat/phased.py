"""`phased`: OpenAI chunks that carry a phase. What a person sees is in `content`, labelled.

The text of each phase before the answer ends in a blank line and has no other, so that the answer
can be told from them where a client hands all of it back (gateway.apis.history).
"""

from gateway.apis.base import Answer
from gateway.apis.chat.chunks import PROMPT_SUMMARY, ChunkDialect
from gateway.core.events import PromptSummary
from gateway.core.sse import quote

PROMPT_LABEL = "[Prompt Summary] "
SUMMARY_LABEL = "[Reasoning Summary] "
PHASE_END = "\n\n"


class PhasedDialect(ChunkDialect):
    shows_timings = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self._entered: set[str] = set()
        self._label = SUMMARY_LABEL

    def prompt_summary(self, event: PromptSummary) -> bytes:
        content = quote(f"{PROMPT_LABEL}{event.text}{PHASE_END}")
        delta = f'{{"role":"assistant","content":{content}}}'
        return self.say(PROMPT_SUMMARY, delta, more=f',"ttft_ms":{event.ttft_ms}')

    def summary(self, line: str) -> str:
        return self._labelled(f"{line}\n")

    def end_summary(self, closing: str) -> str:
        if closing:
            return self._labelled(closing + PHASE_END)
        return "" if self._label else self._labelled("\n")

    def _labelled(self, text: str) -> str:
        content, self._label = quote(self._label + text), ""
        return f'{{"content":{content}}}'

    def trace(self, text: str) -> str:
        return f'{{"reasoning_content":{quote(text)}}}'

    def enter(self, phase: str) -> bytes:
        if phase in self._entered:
            return b""
        self._entered.add(phase)
        return self.chunk("{}", phase, event="phase")
