"""Errors in the middle of an answer, as faults. An answer has begun, so its HTTP status was 200."""

from typing import Any, NamedTuple

import msgspec

from gateway.core.parts import Fault
from gateway.upstreams.error_bodies import ErrorWords, Redact, key_refused, words_of

ABSENT = (None, "", False, 0)
"""The values of an `error` member that is no error."""


def bad_chunk(message: str) -> Fault:
    """Returns the fault of an upstream whose output the gateway can't read or refuses to read."""
    return Fault(message, "upstream_bad_chunk")


def unreadable() -> Fault:
    """Returns the fault of data that is neither a chunk nor an error in words."""
    return bad_chunk("The upstream sent a chunk that could not be read.")


class ErrorReader(NamedTuple):
    """Makes faults of the errors that one upstream reports."""

    redact: Redact = str
    """Removes the gateway's keys from the upstream's words."""
    key_setting: str = "UPSTREAM_API_KEY"
    """Where the operator sets the key that the upstream may refuse."""

    def fault_in(self, value: Any) -> Fault | None:
        """Returns the fault that decoded JSON stands for; None if it has no message, or a code of
        success."""
        words = words_of(value, self.redact)
        return self.fault(words) if words.message and words.code not in ("0", "200") else None

    def fault(self, words: ErrorWords) -> Fault:
        """Returns the fault with these words; without a message, with one of the gateway's."""
        fault = Fault(
            words.message or "The upstream reported an error in its answer.",
            words.code or "upstream_error",
            words.status,
            words.type,
            words.param,
            words.retry_after_s,
            words.cause(words.status),
        )
        if fault.refuses_key:
            message = key_refused(words.status, self.key_setting, words)
            return msgspec.structs.replace(fault, message=message)
        return fault
