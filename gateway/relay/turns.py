"""Makes the turns of requests, and learns from the turns that have ended."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from gateway.apis import ChatRequest
from gateway.config import ANONYMOUS, Principal, ReasoningMode, UpstreamConfig
from gateway.core.choices import Choices
from gateway.core.families import Families
from gateway.core.families.evidence import shows_other_turns
from gateway.core.reading import Reading
from gateway.core.summarizers import BUDGET_WORDS, MODEL, OFF, Prompt, Summarizers, prompt_of
from gateway.core.thoughts import ThoughtRecord
from gateway.core.turn import Turn
from gateway.observe.metrics import Metrics
from gateway.relay.handed_back import server_of, wanted_back
from gateway.relay.ids import shown_id
from gateway.relay.run import Run
from gateway.relay.shared_thoughts import SharedThoughts
from gateway.relay.thoughts import answer_id
from gateway.routing.client import UpstreamClient

_WITHOUT_SUMMARY: dict[ReasoningMode, ReasoningMode] = {
    "summary": "none",
    "raw": "raw",
    "both": "raw",
    "none": "none",
}
"""Mode of a request → the mode if the summarizer is off."""


class TurnFactory:
    """Makes turns for requests."""

    def __init__(
        self,
        upstreams: Mapping[str, UpstreamClient],
        families: Families,
        summarizers: Summarizers,
        metrics: Metrics,
        log: Any,
        thoughts: SharedThoughts,
        *,
        configs: Sequence[UpstreamConfig],
        keeps_answers: bool,
    ) -> None:
        """upstreams: by their names in the pool. configs: the same upstreams' settings.

        keeps_answers: turns remember their answers, so that another upstream can continue one.
        """
        self._upstreams = upstreams
        self._families = families
        self._summarizers = summarizers
        self._metrics = metrics
        self._log = log
        self._thoughts = thoughts
        self._configs = {config.name: config for config in configs}
        self._keeps_answers = keeps_answers

    def resolve_options(self, request: ChatRequest) -> ChatRequest:
        """Returns the request with the name of its summarizer; if that is off, without a summary.

        Raises BadRequest if the request names a summarizer that is not offered.
        """
        options = request.options
        name = self._summarizers.name(request.model, options.summarizer)
        if name == MODEL and request.choices > 1:
            name = "extractive"  # a summary model would need a call for each choice
        reasoning = _WITHOUT_SUMMARY[options.reasoning] if name == OFF else options.reasoning
        return replace(request, options=replace(options, summarizer=name, reasoning=reasoning))

    def recall(self, request: ChatRequest, principal: Principal) -> ChatRequest:
        """Returns the request with the remembered thoughts that its client did not send back."""
        return self._thoughts.recall(request, principal.name)

    def make(
        self, request: ChatRequest, started: float, principal: Principal = ANONYMOUS
    ) -> Turn | Choices:
        """Returns the turn of a request, or a turn for each of its choices.

        started: when the request arrived, in monotonic seconds.
        """
        prompt = prompt_of(request.conversation or request.body["messages"])
        turns = [
            self._turn(request, prompt, started, n, principal.name) for n in range(request.choices)
        ]
        return turns[0] if len(turns) == 1 else Choices(turns)

    def _turn(
        self, request: ChatRequest, prompt: Prompt, started: float, choice: int, principal: str
    ) -> Turn:
        options = request.options

        def source(upstream: str, model: str) -> Reading:
            config = self._configs[upstream]
            return Reading(
                self._upstreams[upstream].upstream.reader(choice),
                self._families.reading(upstream, model, request.body, options.starts_inside),
                server_of(config),
                wanted_back(config, model or request.model),
            )

        messages = request.body["messages"]
        answer = answer_id(messages, len(messages))

        def keep(call_ids: Sequence[str], thoughts: ThoughtRecord) -> None:
            if ids := call_ids or ([answer] if answer else []):
                self._thoughts.keep(request.model, principal, ids, thoughts)

        return Turn(
            started=started,
            prompt_summary=prompt.summary,
            continues=prompt.continues,
            reasoning=options.reasoning,
            source=source,
            max_tokens=_max_tokens(request.body),
            send_thoughts=request.seals_thoughts,
            keeps_answer=self._keeps_answers,
            keep_thoughts=keep,
            summarizer=self._summarizers.make(
                options.summarizer, prompt, BUDGET_WORDS[options.detail]
            ),
        )

    def learn(self, run: Run) -> None:
        """Notes how the model of an ended turn has marked its reasoning, for later turns."""
        observation = run.turn.observation()
        if observation is None or not shows_other_turns(observation, run.request.body):
            return
        lease = run.lease
        now_known = self._families.turns.note(lease.upstream, lease.model, observation)
        if now_known and not self._families.find(lease.model).starts_inside:
            self._metrics.count_starts_inside(lease.upstream)
            self._log.warning(
                "model starts inside its reasoning",
                stream=shown_id(run.id),
                model=lease.model,
                upstream=lease.upstream,
            )


def _max_tokens(body: Mapping[str, Any]) -> int | None:
    """Returns the request's limit for the answer in tokens, if it sets one."""
    limits = (body.get(name) for name in ("max_completion_tokens", "max_tokens"))
    return next((limit for limit in limits if type(limit) is int and limit > 0), None)
