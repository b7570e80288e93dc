"""Decides whether a text without markers is reasoning or the answer. Pure.

Where a chat template opens the reasoning, the model's text begins inside it and has no start
marker; the text alone does not show it. The gateway decides by evidence, the strongest first:

1. the client's own option `starts_inside`;
2. the request turns thinking off, or asks the server to hide it: the answer;
3. earlier turns of this model on this upstream (:class:`Turns`);
4. the request asks the server to label the reasoning: the answer;
5. the family: its template opens the reasoning always, or unless it is switched off, or never;
6. the answer itself: a label, even an empty one, and `reasoning_tokens` in the usage.

One answer proves little: a user can make a model write any marker. So only several turns in a row
count, and the first turn that contradicts them cancels their evidence.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from gateway.core.budgets import has_budget_of_zero

CountsAs = Literal["reasoning", "answer", "undecided"]
"""The kind of a text without markers. `undecided` is shown as reasoning; if no marker comes until
the end, it is the answer."""

Why = Literal["request", "thinking off", "hidden", "labels asked for", "labels", "turns", "family"]
"""The evidence that decided."""

Observation = Literal["labelled", "unopened end", "unmarked", "marked"]
"""The evidence in a complete turn: labelled reasoning; an end marker without a start; no marker at
all; a start marker."""

TURNS_IN_A_ROW = 3
"""Turns that have to agree before they count."""
_MAX_MODELS = 1000
"""Models that are remembered; a new one replaces the oldest."""


class Belief(NamedTuple):
    """The kind of a text without markers, and the evidence for it."""

    counts_as: CountsAs
    why: Why

    @property
    def starts_inside(self) -> bool:
        """The text begins inside the reasoning, until a marker or other evidence ends it."""
        return self.counts_as != "answer"

    def with_label(self) -> "Belief":
        """Returns the belief after a delta with an empty label, which servers that label reasoning
        send.

        The label only decides an undecided belief: some servers always send an empty field.
        """
        return Belief("answer", "labels") if self.counts_as == "undecided" else self

    def unmarked_is_answer(
        self, *, stopped: bool, stop_sequence: str | None, usage: Mapping[str, Any] | None
    ) -> bool:
        """Returns whether a text that has ended without any marker was the answer.

        stopped: the model ended the text by itself. stop_sequence: one of the request's stop
        sequences ended it, as happens in thoughts. usage: None while it is unknown.
        """
        if self.counts_as != "reasoning" or (stopped and stop_sequence is None):
            return True
        return self.why != "request" and _has_no_reasoning_tokens(usage)


class Turns:
    """The observations of this worker's earlier turns, for each model on each upstream."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[Observation, int]] = {}  # in order of insertion

    def note(self, upstream: str, model: str, observation: Observation) -> bool:
        """Adds an observation. Returns True if the model is now known to start inside."""
        key = (upstream, model)
        last, times = self._seen.get(key, (observation, 0))
        if last == "labelled" and observation == "unmarked":
            return False  # a server that labels sends no label if the model does not think
        times = times + 1 if last == observation else 1
        if key not in self._seen and len(self._seen) >= _MAX_MODELS:
            self._seen.pop(next(iter(self._seen)))
        self._seen[key] = (observation, min(times, TURNS_IN_A_ROW + 1))
        return observation == "unopened end" and times == TURNS_IN_A_ROW

    def shown(self, upstream: str, model: str) -> Observation | None:
        """Returns the observation of the last turns, if there were enough of them; else None."""
        seen = self._seen.get((upstream, model))
        if seen is None:
            return None
        observation, times = seen
        # A label comes from the server, not from the model's text: once is enough.
        enough = 1 if observation == "labelled" else TURNS_IN_A_ROW
        return observation if times >= enough else None


def decide(
    *,
    option: bool | None,
    body: Mapping[str, Any],
    shown: Observation | None,
    opened: bool,
    always: bool,
) -> Belief:
    """Returns the belief at the beginning of an answer.

    option: the client's `starts_inside`. shown: the observation of earlier turns. opened: the
    family's template opens the reasoning. always: the model has no switch for thinking.
    """
    if option is not None:
        return Belief("reasoning" if option else "answer", "request")
    switch = read_switch(body)
    if switch in ("thinking off", "hidden"):
        return Belief("answer", switch)
    if shown == "unopened end":
        return Belief("reasoning", "turns")
    if shown == "labelled" and switch != "unlabelled":
        return Belief("answer", "labels")
    if shown == "unmarked":
        return Belief("answer", "turns")
    if switch == "labels asked for":
        return Belief("answer", switch)
    if not opened:
        return Belief("answer", "family")
    if switch == "unlabelled":
        return Belief("reasoning", "request")
    return Belief("reasoning" if always else "undecided", "family")


def shows_other_turns(observation: Observation, body: Mapping[str, Any]) -> bool:
    """Returns whether the observation of a turn also holds for other requests to the same model.

    It does not if the request itself has shaped the text: by a switch for the reasoning, a stop
    sequence, a grammar, or the beginning of the answer. Otherwise the requests of one user would
    decide how the answers to all others are read. A label holds for all, unless the request asked
    for it.
    """
    switch = read_switch(body)
    if observation == "labelled":
        return switch != "labels asked for"
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    is_begun = isinstance(last, Mapping) and last.get("role") == "assistant"
    shaped = any(body.get(name) for name in ("stop", *_GRAMMARS)) or asks_for_json(body)
    return switch is None and not is_begun and not shaped


Switch = Literal["thinking off", "hidden", "labels asked for", "unlabelled"]


def read_switch(body: Mapping[str, Any]) -> Switch | None:
    """Returns a request's switch for the reasoning, in any spelling; None: it has none.

    thinking off: the model must not think. hidden: the server must leave the thoughts out. labels
    asked for, unlabelled: the server must label the thoughts, or must not.
    """
    if _turns_thinking_off(body):
        return "thinking off"
    reasoning, form = _mapping(body.get("reasoning")), body.get("reasoning_format")
    if reasoning.get("exclude") is True or body.get("include_reasoning") is False:
        return "hidden"
    if form == "hidden":
        return "hidden"
    separate = body.get("separate_reasoning")
    if form in ("raw", "none") or separate is False or body.get("reasoning_split") is False:
        return "unlabelled"
    if form in ("parsed", "deepseek") or separate is True or body.get("reasoning_split") is True:
        return "labels asked for"
    return None


def _turns_thinking_off(body: Mapping[str, Any]) -> bool:
    template = _mapping(body.get("chat_template_kwargs"))
    reasoning, thinking = _mapping(body.get("reasoning")), _mapping(body.get("thinking"))
    switches = (
        *(place.get(name) for place in (body, template) for name in _ON_SWITCHES),
        body.get("reasoning"),
        reasoning.get("enabled"),
    )
    efforts = (
        *(place.get("reasoning_effort") for place in (body, template)),
        reasoning.get("effort"),
    )
    return (
        any(switch is False for switch in switches)
        or has_budget_of_zero(body)
        or "none" in efforts
        or thinking.get("type") == "disabled"
        or body.get("disable_reasoning") is True
    )


_ON_SWITCHES = ("enable_thinking", "thinking", "think", "enable_reasoning")
"""Members whose value `false` turns thinking off, in a body or in its chat_template_kwargs."""
_FORMATS = ("json_object", "json_schema")
_JSON_SCHEMAS = ("guided_json", "json_schema")
"""vLLM's member and llama.cpp's."""
_GRAMMARS = (
    *("grammar", "regex", "ebnf", "structured_outputs", "structural_tag"),
    *("guided_regex", "guided_choice", "guided_grammar"),
)
"""Members with which servers constrain a text that need not be JSON."""
CONSTRAINTS = frozenset({"response_format", *_JSON_SCHEMAS, *_GRAMMARS})
"""All members with which servers constrain the answer."""


def asks_for_json(body: Mapping[str, Any]) -> bool:
    """Returns whether the answer has to be JSON; then a text like JSON is the answer."""
    named = _mapping(body.get("response_format")).get("type") in _FORMATS
    return named or any(body.get(name) for name in _JSON_SCHEMAS)


def _has_no_reasoning_tokens(usage: Mapping[str, Any] | None) -> bool:
    usage = usage or {}
    details = _mapping(usage.get("completion_tokens_details"))
    count = details.get("reasoning_tokens", usage.get("reasoning_tokens"))
    return type(count) is int and count == 0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
