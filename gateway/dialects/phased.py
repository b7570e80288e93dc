"""`phased`: OpenAI chunks that carry a phase. What a person sees is in `content`, labelled."""

from gateway.dialects.base import Answer
from gateway.dialects.chunks import PROMPT_SUMMARY, ChunkDialect
from gateway.events import PromptSummary
from gateway.sse import quote


class PhasedDialect(ChunkDialect):
    shows_timings = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self._entered: set[str] = set()
        self._label = "[Reasoning Summary] "

    def prompt_summary(self, event: PromptSummary) -> bytes:
        content = quote(f"[Prompt Summary] {event.text}\n\n")
        delta = f'{{"role":"assistant","content":{content}}}'
        return self.say(PROMPT_SUMMARY, delta, more=f',"ttft_ms":{event.ttft_ms}')

    def summary(self, paragraph: str) -> str:
        content, self._label = quote(self._label + paragraph), ""
        return f'{{"content":{content}}}'

    def trace(self, text: str) -> str:
        return f'{{"reasoning_content":{quote(text)}}}'

    def enter(self, phase: str) -> bytes:
        if phase in self._entered:
            return b""
        self._entered.add(phase)
        return self.chunk("{}", phase, event="phase")
