"""The W3C trace context of a request (w3.org/TR/trace-context). The upstream gets it unchanged.

The gateway makes no spans of its own, so it does not appear in the trace.
"""

import re

from werkzeug.datastructures import Headers

_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")
_LATER_VERSION = re.compile(r"(?!00|ff)[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}-[!-~]+\Z")
_MAX_STATE_CHARS = 8192
_STATE = re.compile(r"[\t -~]+\Z")


def trace_context(headers: Headers) -> dict[str, str]:
    """Returns the headers to pass on; none if `traceparent` is invalid (§3.2.2.6, §4.3)."""
    parent = headers.get("traceparent", "")
    if not (_PARENT.match(parent) or (len(parent) < 512 and _LATER_VERSION.match(parent))):
        return {}
    state = headers.get("tracestate", "")
    is_valid = len(state) <= _MAX_STATE_CHARS and bool(_STATE.match(state))
    return {"traceparent": parent, "tracestate": state} if is_valid else {"traceparent": parent}
