"""The meanings of the finish reasons of model servers, in one table. Pure."""

import re
from typing import Literal

Meaning = Literal["finished", "length", "filtered", "calls", "broken", "unknown"]
"""finished: the model ended its answer. length: a limit did. filtered: a filter did. calls: the
answer is a tool call. broken: something failed. unknown: the word is not in the table."""

STOP = "stop"
TOOL_CALLS = "tool_calls"
LENGTH = "length"
UNKNOWN = "unknown"
"""The finish reason of an answer in one piece that has none."""

_WORDS: dict[Meaning, str] = {
    "finished": """
        stop stopped stop_sequence stop_string stop_token stop_word end end_turn end_of_turn
        end_of_text eos eos_token eot finish finished complete completed done success normal
        natural
        """,
    "length": """
        length max_length max_tokens max_token max_new_tokens max_output_tokens
        max_completion_tokens max_tokens_reached token_limit token_limit_reached limit
        length_limit truncated model_length context_length context_length_exceeded context_window
        context_window_exceeded model_context_window_exceeded exceed_context_length
        max_time time_limit repetition incomplete
        """,
    "filtered": """
        content_filter content_filtered content_policy content_policy_violation contentfilter
        filter filtered safety sensitive recitation blocklist prohibited_content spii
        image_safety image_prohibited_content image_recitation guardrail guardrails
        guardrail_intervened moderation moderated flagged censored blocked refusal refused
        policy_violation risk_control unsafe
        """,
    "calls": "tool_calls tool_call tool_use tool function_call function_calls",
    "broken": """
        abort aborted error errored error_finish exception fail failed failure broken cancel
        cancelled canceled interrupted disconnected network_error connection_error server_error
        internal_error internal_server_error engine_error model_error upstream_error
        provider_error timeout timed_out deadline_exceeded overloaded unavailable
        insufficient_system_resource insufficient_resource insufficient_resources
        out_of_memory oom malformed_function_call malformed_tool_call malformed_response
        unexpected_tool_call too_many_tool_calls missing_thought_signature invalid_tool_call
        """,
}
_STEMS: tuple[tuple[Meaning, str], ...] = (
    ("filtered", "content_filter content_policy safety moderat toxic guardrail"),
    (
        "broken",
        """
        error abort cancel fail exception crash kill timeout timed_out disconnect interrupt preempt
        evict overload unavailable out_of_memory capacity rate_limit quota insufficient malformed
        """,
    ),
    ("length", "max_tokens max_length token_limit length_limit context_length context_window"),
)
"""Meaning → parts of words that reveal it, for words that are not in the table."""
_BY_STEM = tuple((meaning, re.compile("|".join(stems.split()))) for meaning, stems in _STEMS)
_MEANINGS: dict[str, Meaning] = {
    word: meaning for meaning, words in _WORDS.items() for word in words.split()
}
_CANONICAL: dict[Meaning, str] = {
    "length": LENGTH,
    "filtered": "content_filter",
    "calls": TOOL_CALLS,
}
_AS_THEY_COME = frozenset({"function_call"})
"""OpenAI's word for the end of an answer with a call of the old kind."""


def meaning_of(reason: str) -> Meaning:
    """Returns the meaning of a word in any spelling: `MAX_TOKENS`, `maxTokens`, `max-tokens`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", reason.strip())
    word = re.sub(r"[\W_]+", "_", spaced).strip("_").lower().removeprefix("finish_reason_")
    if (known := _MEANINGS.get(word)) is not None:
        return known
    return next((meaning for meaning, stems in _BY_STEM if stems.search(word)), "unknown")


def canonical(reason: str) -> str:
    """Returns OpenAI's word with the same meaning if clients act on it, else the word itself."""
    if reason in _AS_THEY_COME:
        return reason
    return _CANONICAL.get(meaning_of(reason), reason)
