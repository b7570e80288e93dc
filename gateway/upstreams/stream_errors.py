"""Errors in the body of an answer, as faults. The HTTP status was 200 before they came."""

from typing import Any, NamedTuple

import msgspec

from gateway.core.parts import Fault
from gateway.upstreams.error_bodies import ErrorWords, Redact, key_refused, words_of

ABSENT = (None, "", False, 0)
"""Values of an `error` member that mean "no error"."""


def bad_chunk(message: str) -> Fault:
    """Returns the fault for output that the gateway can't read or refuses to read."""
    return Fault(message, "upstream_bad_chunk")


def unreadable() -> Fault:
    """Returns the fault for data that is neither a chunk nor an error with a message."""
    return bad_chunk("The upstream sent a chunk that could not be read.")


class ErrorReader(NamedTuple):
    """Turns the errors that one upstream reports into faults."""

    redact: Redact = str
    """Removes the gateway's keys from the upstream's error messages."""
    key_setting: str = "UPSTREAM_API_KEY"
    """The setting that holds the upstream's key, to name in the error if it is refused."""

    def fault_in(self, value: Any) -> Fault | None:
        """Returns the fault that decoded JSON describes; None if it has no message, or the code of
        a success."""
        words = words_of(value, self.redact)
        return self.fault(words) if words.message and words.code not in ("0", "200") else None

    def fault(self, words: ErrorWords) -> Fault:
        """Returns the fault with these words. If they have no message, the gateway adds one."""
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
