"""`phased`: OpenAI chunks with a phase. `content` holds labelled text for a person to read.

The text of each phase before the answer ends in a blank line and contains no other. So
gateway.apis.history can find the answer when a client sends all of the text back.
"""

from gateway.apis.base import Answer
from gateway.apis.chat.chunks import PROMPT_SUMMARY, ChunkDialect
from gateway.core.events import PromptSummary
from gateway.core.sse import quote

PROMPT_LABEL = "[Prompt Summary] "
SUMMARY_LABEL = "[Reasoning Summary] "
PHASE_END = "\n\n"


class PhasedDialect(ChunkDialect):
    """Encodes the summaries as labelled content, and the trace as reasoning."""

    shows_timings = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self._entered: set[str] = set()
        self._summary_label = SUMMARY_LABEL
        """"" once it is sent."""

    def prompt_summary(self, event: PromptSummary) -> bytes:
        line = "" if event.continues else f"{PROMPT_LABEL}{event.text}{PHASE_END}"
        content = quote(line)
        delta = f'{{"role":"assistant","content":{content}}}'
        return self.chunk_in(PROMPT_SUMMARY, delta, more=f',"ttft_ms":{event.ttft_ms}')

    def summary(self, line: str) -> str:
        return self._summary_delta(f"{line}\n")

    def end_summary(self, closing: str) -> str:
        if closing:
            return self._summary_delta(closing + PHASE_END)
        return "" if self._summary_label else self._summary_delta("\n")

    def _summary_delta(self, text: str) -> str:
        content, self._summary_label = quote(self._summary_label + text), ""
        return f'{{"content":{content}}}'

    def trace(self, text: str) -> str:
        return f'{{"reasoning_content":{quote(text)}}}'

    def enter(self, phase: str) -> bytes:
        if phase in self._entered:
            return b""
        self._entered.add(phase)
        return self.chunk("{}", phase, event="phase")
