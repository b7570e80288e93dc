"""One request's state machine: an upstream's lines in, events out. No I/O, no clock.

An answer, from start to end:

    turn.start(now)                     -> the prompt summary
    turn.call(upstream, model)             the relay calls this upstream now
    turn.feed(lines, now)               -> the events of one read
    turn.tick(now)                      -> the events that are due although nothing has arrived
    turn.close(now)                     -> the upstream's body has ended: the last events
    turn.fail(error, now)               -> something broke: held text, then the event Failed

Work that the turn asks the relay to do:

    turn.next_effect(now)               -> a value of core.effects, or None
    turn.take_summary_reply(reply, now) -> the events of the summary model's reply

A second answer, after the gateway has cut the thinking or after an upstream has broken off:

    turn.limit                             decides when the thinking has to end; see core.thinking
    turn.cut(now)                       -> the thinking ends here
    turn.continue_with(upstream, model)    the relay asks the same upstream for the answer
    turn.break_off(now)                 -> the answer breaks off here
    turn.take_over(upstream, model, in)    the relay asks another upstream to continue

The fast path (see core.steady):

    turn.steady_state()                 -> how to read the next text without a parse, or None
    turn.feed_text(text, now)           -> the events of a text that was read like that

`now` is monotonic seconds of the same clock as `started`. After the last event (Done or Failed)
:attr:`Turn.ended` is true and every call returns nothing. Only `fail` makes the event Failed. A
fault in the stream sets :attr:`Turn.fault`. Then the relay fails the turn or, if the model has not
run yet, calls another upstream.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.config import ReasoningMode
from gateway.core.continuation import (
    BrokenIn,
    closing_sentence,
    continued,
    cut_thoughts,
    taken_over,
)
from gateway.core.effects import Effect, EndThinking, SummaryReply
from gateway.core.ending import Ending
from gateway.core.events import (
    Done,
    Event,
    Extra,
    Failed,
    OutputDelta,
    ReasoningDelta,
    ToolCallDelta,
)
from gateway.core.families import ANY_TEXT, MarkerFree, Segment, SegmentKind, TextReading
from gateway.core.families.evidence import Observation
from gateway.core.labelled import LabelledContent
from gateway.core.parts import (
    Content,
    End,
    Fault,
    Finish,
    Label,
    Other,
    Part,
    Reasoning,
    Signed,
    ToolCalls,
    Usage,
)
from gateway.core.phases import Phase, Phases
from gateway.core.reading import Reader, Reading, Source
from gateway.core.sse import dumps
from gateway.core.stats import TurnStats
from gateway.core.steady import SteadyState
from gateway.core.summarizers import Summarizer
from gateway.core.thinking import ThinkingLimit, count_tokens
from gateway.core.thought_log import KeepThoughts, SendThoughts, ThoughtLog
from gateway.core.tokens import size
from gateway.errors import GatewayError, UpstreamBroke

_LOGPROBS_PER_TEXT = 4
"""Logprobs take many times the bytes of their text, so a quarter of them counts as answer_bytes."""


class Turn:
    """Decides whether a part of an answer is reasoning or answer. Phases makes the events of it."""

    def __init__(
        self,
        *,
        started: float,
        prompt_summary: str,
        reasoning: ReasoningMode,
        source: Source,
        summarizer: Summarizer,
        max_tokens: int | None = None,
        send_thoughts: SendThoughts = "never",
        keep_thoughts: KeepThoughts | None = None,
        keeps_answer: bool = False,
        continues: bool = False,
    ) -> None:
        """started: when the request arrived, in monotonic seconds.

        source: see Source. max_tokens: the request's limit for the answer. send_thoughts: when to
        make an event Thoughts. keep_thoughts: called at the end of a complete turn. keeps_answer:
        remember the answer, so that another upstream can continue it. continues: see PromptSummary.
        """
        self._stats = TurnStats(started)
        self._thoughts = ThoughtLog(send=send_thoughts, keep=keep_thoughts)
        self._phases = Phases(
            self._stats, reasoning, summarizer, self._thoughts, keeps_answer=keeps_answer
        )
        self._ending = Ending(max_tokens)
        self._prompt_summary = prompt_summary
        self._continues = continues
        self._source = source
        self._reader: Reader
        self._text: TextReading

        self.limit = ThinkingLimit()
        self.cut_after = 0
        """The number of tokens after which the answer was cut or has broken off."""
        self.thoughts_back = ""
        """The thoughts of the first answer, for the request for the second one."""
        self.answer_back = ""
        """The text of a first answer that has broken off, for the request for the second one."""
        self._shown_space = ""
        """White space at the end of the first answer, which `answer_back`, or `thoughts_back` if
        there is no answer, does not have."""
        self._steady: SteadyState | None = None
        self._fast_frames = 0
        """The number of frames that earlier steady states have read."""
        self._model = ""
        self._was_cut = False
        """There is a second answer."""
        self.family = ""
        """The name of the family of the model that was called last."""
        self.fault: GatewayError | None = None
        """The error in the stream, until the turn fails or another upstream is called."""
        self.model_ran = False
        """The model has begun to think or to answer."""
        self.ended = False
        """The last event is out."""
        self.answer_bytes = 0
        """The bytes of the model's output so far in UTF-8, reasoning included."""
        self._labelled = False
        """The upstream labels reasoning itself, so its content is the answer."""
        self._labelled_content: LabelledContent | None = None
        """What splits that content; None while all of it is the answer."""
        self._has_calls = False
        self._held_text: list[str] = []
        """Text beside labelled reasoning that does not begin the answer yet: white space, and text
        that counted as reasoning before the first label."""

    def observation(self) -> Observation | None:
        """Returns how the model has marked its reasoning; None: no reliable evidence."""
        if self._was_cut:
            return None
        if self._labelled:
            return "labelled"
        if self._ending.finish_reason is None or self._has_calls or not self.model_ran:
            return None
        return self._text.observation(stopped=self._ending.stopped)

    def record(self) -> dict[str, Any]:
        """Returns the counts and times for the log line, and how unmarked text was read."""
        belief = self._text.belief
        return {
            "family": self.family,
            "unmarked_text": belief.counts_as,
            "unmarked_text_why": "labels" if self._labelled else belief.why,
            **self._stats.record(),
            **({"thinking_ended": self.limit.why} if self.limit.why else {}),
        }

    def start(self, now: float) -> list[Event]:
        """Returns the first event. Called once, before or after the first :meth:`call`."""
        self._phases.now = now
        self._phases.prompt(self._prompt_summary, continues=self._continues)
        return self._phases.take_events()

    def call(self, upstream: str, model: str) -> None:
        """The relay calls this upstream now. The output of an earlier one is forgotten."""
        self._begin(self._source(upstream, model))
        self._model = model
        self._stats.usage = None

    def _begin(self, reading: Reading) -> None:
        """A new answer begins. reading: how to read it."""
        self._reader, self._text = reading.reader, reading.text
        self._thoughts.begin(reading.server, reading.wants_back)
        self.family = self._text.family.name
        self._ending.forget()
        self._labelled_content = None
        self._steady, self._fast_frames = None, 0
        self.fault = None

    def feed(self, lines: Sequence[bytes], now: float) -> list[Event]:
        """Takes the lines of one read, without line ends; returns the events that are due."""
        self._take_parts(self._reader.feed(lines), now)
        return self.tick(now)

    def tick(self, now: float) -> list[Event]:
        """Returns the events that are due, such as a line of the summary after a silent second.

        The relay calls it about once a second while nothing arrives.
        """
        phases = self._phases
        if now >= phases.line_due_at:
            phases.now = now
            phases.hurry()
        return phases.take_events()

    def close(self, now: float) -> list[Event]:
        """The upstream's body has ended, after the end of the answer or before it."""
        self._take_parts(self._reader.close(), now)
        if self._ending.finish_reason is not None:
            self._finish()
        elif not self.ended and self.fault is None:
            self.fault = UpstreamBroke("The upstream's stream ended before its answer did.")
        return self._phases.take_events()

    def fail(self, error: GatewayError, now: float) -> list[Event]:
        """Ends the turn with an error, unless the model had already finished its answer.

        An incomplete frame at the end of the stream still counts if it can be read.
        """
        self._take_parts([p for p in self._reader.close() if not isinstance(p, Fault)], now)
        if self._ending.finish_reason is not None:
            self._finish()
        elif not self.ended:
            self._close_text(stopped=False)
            self._end(Failed(error.info, self._stats.timings(now)))
        return self._phases.take_events()

    def next_effect(self, now: float) -> Effect | None:
        """Returns what the relay should do for the turn now; None: nothing."""
        limit = self.limit
        if limit.is_watched and self.can_cut and (why := limit.end(self.thought_tokens)):
            self._stats.mark("answer_forced_ms", now)
            return EndThinking(why)
        return self._phases.next_effect(now)

    @property
    def can_cut(self) -> bool:
        """The model thinks, and no text is held that may become the end marker of its thinking."""
        if self._phases.phase is not Phase.REASONING or self._ending.finish_reason is not None:
            return False
        if self.fault is not None:
            return False
        if self._labelled:
            return not any(map(str.strip, self._held_text))
        return self._text.splitter.is_in_reasoning

    @property
    def answer_id(self) -> str:
        """The id that the upstream has given its answer; "" while unknown."""
        return self._reader.answer_id

    @property
    def thinks(self) -> bool:
        """The model thinks, or has not written anything yet."""
        return self._phases.phase < Phase.OUTPUT

    @property
    def waits_for_answer(self) -> bool:
        """The gateway has ended the thinking, and the answer has not begun."""
        return self.limit.why is not None and "first_output_ms" not in self._stats.ms

    def cut(self, now: float, *, is_prefill: bool) -> list[Event]:
        """The gateway cuts the thinking here. The rest of the upstream's stream must not be fed.

        is_prefill: the second request contains the thoughts, with a sentence that ends them.
        """
        self._phases.now = now
        self._was_cut = True
        thoughts, sentence = self._thoughts.whole(), closing_sentence(self._model)
        self.thoughts_back = (cut_thoughts(thoughts) + sentence).strip()
        if is_prefill:
            self._thoughts.add(sentence)
            if self._phases.shows_trace:
                self._phases.add(ReasoningDelta(sentence))
        self.cut_after = self.thought_tokens
        self._stats.cut(self.cut_after)
        self._held_text.clear()
        self._phases.end_reasoning()
        return self._phases.take_events()

    def continue_with(self, upstream: str, model: str, *, is_prefill: bool) -> None:
        """The relay asks for a second answer, with a prefill or from the start."""
        self._begin(continued(self._source(upstream, model), is_prefill=is_prefill))
        self._labelled = False
        self._stats.begin_second(is_prefill=is_prefill)

    @property
    def broken_in(self) -> BrokenIn | None:
        """The phase in which the answer can be continued after a break; None: it can't.

        A tool call that has begun is never continued.
        """
        phases = self._phases
        is_open = self.model_ran and not self.ended and self._ending.finish_reason is None
        if phases.answer is None or self._has_calls or not is_open:
            return None
        if phases.phase is Phase.OUTPUT:
            return None if phases.thinking or not phases.answer else "answer"
        in_thought = self._labelled or self._text.splitter.is_in_reasoning
        return "thinking" if phases.phase is Phase.REASONING and in_thought else None

    def break_off(self, now: float) -> list[Event]:
        """The upstream has broken off. Returns the events of the text that was held back."""
        phases = self._phases
        phases.now = now
        self.fault = None
        parts = [part for part in self._reader.close() if not isinstance(part, Fault)]
        self._take_parts(parts, now)
        if not (self._labelled and phases.phase < Phase.OUTPUT):
            self._close_text(stopped=False)
        self._was_cut = True
        thoughts = self.thoughts_back or self._thoughts.whole()
        answer = "".join(phases.answer or ())
        last = answer or thoughts
        self._shown_space = last[len(last.rstrip()) :]
        self.thoughts_back, self.answer_back = thoughts.strip(), answer.rstrip()
        tokens = self._stats.tokens()
        self.cut_after = tokens.reasoning + tokens.output
        self._stats.cut(tokens.reasoning, tokens.output)
        return phases.take_events()

    def take_over(self, upstream: str, model: str, broken_in: BrokenIn) -> None:
        """The relay asks this upstream to continue where the other has broken off."""
        self._begin(taken_over(self._source(upstream, model), broken_in, self._shown_space))
        # In the middle of an answer, markers are text. Servers that continue thoughts label them.
        self._labelled = self._labelled or broken_in == "answer"
        self._stats.begin_second(is_prefill=True)

    @property
    def thought_tokens(self) -> int:
        """The estimated tokens of the thinking so far."""
        frames = self._reader.frames + self._fast_frames
        frames += self._steady.frames if self._steady is not None else 0
        return count_tokens(frames, self._stats.reasoning_bytes)

    def take_summary_reply(self, reply: SummaryReply, now: float) -> list[Event]:
        """Takes the reply of the summary model. A late one is counted but not shown."""
        self._phases.now = now
        self._phases.take_summary_reply(reply)
        return self._phases.take_events()

    def steady_state(self) -> SteadyState | None:
        """Returns how to read the next text without a parse; None if it has to be parsed.

        The result is valid until the next call of `feed`, `close`, `call` or `fail`.
        """
        if self._steady is not None:
            self._fast_frames += self._steady.frames
            self._steady = None
        found = self._reader.template
        if found is None or self.ended or self.fault is not None:
            return None
        template, part = found
        kind, plain = self._kind_of(part)
        phase, thinking = self._phases.phase, self._phases.thinking
        is_answer = kind is SegmentKind.ANSWER and phase is Phase.OUTPUT and not thinking
        is_reasoning = kind is SegmentKind.REASONING and thinking and phase > Phase.PROMPT
        if is_answer or is_reasoning:
            self._steady = SteadyState(template, plain)
        return self._steady

    def feed_text(self, text: str, now: float) -> list[Event]:
        """Takes a text that the steady state has read. It has the kind of the text before."""
        text_bytes = size(text)
        self.answer_bytes += text_bytes
        phases = self._phases
        if phases.thinking:
            phases.now = now
            phases.take_reasoning(text)
            if now >= phases.line_due_at:
                phases.hurry()
            return phases.take_events()
        self._stats.output_bytes += text_bytes
        if phases.answer is not None:
            phases.answer.append(text)
        return [OutputDelta(text)]

    def _kind_of(self, part: type[Content] | type[Reasoning]) -> tuple[SegmentKind, MarkerFree]:
        """Returns the kind of a text in this type of part, and the texts that surely have it."""
        beside = self._labelled_content
        if part is Reasoning:
            compares = beside is not None and beside.compares
            return SegmentKind.MARKUP if compares else SegmentKind.REASONING, ANY_TEXT
        if self._labelled and beside is None:
            return SegmentKind.ANSWER, ANY_TEXT
        state = (self._text if beside is None else beside).splitter.settled_state
        if state is None or (beside is not None and state.kind is SegmentKind.REASONING):
            return SegmentKind.MARKUP, ANY_TEXT
        return state.kind, state.marker_free if state.exits else ANY_TEXT

    def _take_parts(self, parts: Sequence[Part], now: float) -> None:
        self._phases.now = now
        for part in parts:
            if self.ended or self.fault is not None:
                break
            self._take_part(part)

    def _take_part(self, part: Part) -> None:
        match part:
            case Content(text):
                self.model_ran = True
                self.answer_bytes += size(text)
                if self._labelled_content is not None:
                    self._take_labelled(self._labelled_content.take(text))
                elif self._labelled:
                    self._take_labelled([Segment(SegmentKind.ANSWER, text)])
                else:
                    self._take_segments(self._text.splitter.feed(text))
            case Label():
                if not self._labelled:
                    self._take_segments(self._text.take_label())
            case Reasoning(text):
                self.answer_bytes += size(text)
                if not self._labelled:
                    self._begin_labelled()
                if self._labelled_content is not None:
                    text = self._labelled_content.take_labelled(text)
                self._thoughts.field = self._reader.reasoning_field
                if text:
                    self._phases.take_reasoning(text)
            case Signed():
                self.answer_bytes += len(dumps([part.pieces, part.members]))
                self._thoughts.add_signed(part)
            case ToolCalls(calls):
                self.model_ran = self._has_calls = True
                self._close_text(stopped=False)
                self._thoughts.add_calls(calls)
                self._phases.begin_output(call=calls[0])
                call_bytes = sum(map(_call_bytes, calls))
                self.answer_bytes += call_bytes
                self._stats.output_bytes += call_bytes
                self._phases.add(*map(ToolCallDelta, calls))
            case Other(delta, choice, chunk):
                self._take_extra(Extra(delta, choice, chunk))
            case Usage(usage, in_extension):
                self._stats.take_usage(usage, in_extension=in_extension)
            case Finish(reason, stop_sequence):
                self._take_finish(reason, stop_sequence)
            case End(in_one_piece):
                self._ending.complete(
                    in_one_piece=in_one_piece, has_calls=self._has_calls, usage=self._stats.usage
                )
                self._finish()
            case Fault():
                self._ending.forget()
                self.fault = part.error

    def _take_finish(self, reason: str, stop_sequence: str | None) -> None:
        if not self._ending.take(reason, stop_sequence):
            return
        stopped = self._ending.stopped
        if not self._text.waits_for_usage(stopped=stopped, stop_sequence=stop_sequence):
            self._close_text(stopped=stopped)

    def _take_extra(self, extra: Extra) -> None:
        self.model_ran = self.model_ran or bool(extra.delta or "logprobs" in extra.choice)
        if extra.delta:
            self.answer_bytes += len(dumps(extra.delta))
        if extra.choice:
            self.answer_bytes += len(dumps(extra.choice)) // _LOGPROBS_PER_TEXT
        if extra.answers:
            self._close_text(stopped=False)
            self._phases.begin_output()
        hides_trace = self._phases.thinking and not self._phases.shows_trace
        if "logprobs" in extra.choice and hides_trace:
            return  # the logprobs contain the tokens of the trace
        self._phases.add(extra)

    def _begin_labelled(self) -> None:
        """The first labelled reasoning has come."""
        self.model_ran = self._labelled = True
        splitter = self._text.splitter
        if splitter.saw_start:
            self._labelled_content = LabelledContent(splitter, self._thoughts.whole)
            return
        # Text before the first label was the answer, even if it was shown as reasoning.
        before = splitter.take_unconfirmed() or splitter.release()
        if self._phases.phase < Phase.OUTPUT:
            own = self._text.family.labelled_splitter()
            self._labelled_content = LabelledContent(own, self._thoughts.whole)
            before = "".join(text for _, text in self._labelled_content.take(before))
        self._held_text.append(before)

    def _take_labelled(self, segments: Sequence[Segment]) -> None:
        """Content beside labelled reasoning is the answer; white space alone does not begin it."""
        for kind, text in segments:
            if kind is SegmentKind.REASONING:
                self._phases.take_reasoning(text)
            elif self._phases.phase < Phase.OUTPUT and text.isspace():
                self._held_text.append(text)
            else:
                self._phases.take_output(self._take_held() + text)

    def _take_held(self) -> str:
        """Returns all held text."""
        held = "".join(self._held_text)
        self._held_text.clear()
        return held

    def _take_segments(self, segments: list[Segment]) -> None:
        for kind, text in segments:
            if kind is SegmentKind.REASONING:
                self._phases.take_reasoning(text)
                continue
            if kind is SegmentKind.RECLASSIFIED:
                self._phases.begin_output(reasoned=False)
            self._phases.take_output(text)

    def _close_text(self, *, stopped: bool) -> None:
        """The text so far is complete: takes what the splitter holds back."""
        if self._labelled:
            if self._labelled_content is not None:
                self._take_labelled(self._labelled_content.close(stopped=stopped))
            self._phases.take_output(self._take_held())
            return
        usage, sequence = self._stats.usage, self._ending.stop_sequence
        self._take_segments(self._text.close(stopped=stopped, stop_sequence=sequence, usage=usage))

    def _finish(self) -> None:
        if self.ended:
            return
        self._close_text(stopped=self._ending.stopped)
        self._phases.close_reasoning()
        self._thoughts.store()
        stats = self._stats
        self._end(
            Done(
                self._ending.finish_reason or "stop",
                stats.whole_usage,
                stats.timings(self._phases.now),
                stats.tokens(),
                self._ending.stop_sequence,
                stats.summarizer_usage,
                stats.usage_in_extension,
                self.limit.why,
            )
        )

    def _end(self, event: Done | Failed) -> None:
        self._phases.end(event)
        self.ended = True


def _call_bytes(call: Mapping[str, Any]) -> int:
    """Returns the bytes that the model wrote in this piece of a tool call."""
    function = call.get("function")
    written = function.values() if isinstance(function, Mapping) else ()
    return sum(size(text) for text in written if isinstance(text, str))
