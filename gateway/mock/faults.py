"""Faults of a stream: each changes the plan of a body or the bytes of a frame. Pure."""

import re

from gateway.mock.errors import ErrorReply
from gateway.mock.frames import DONE, Delta, Frame, Plan, event

GARBAGE = (
    b'data: {"choices":[{"delta":{"content":"half\n\n',
    b"data: not json\n\n",
    b"data: [1, 2]\n\n",
    b'data: {"choices":"none"}\n\n',
    b"data: \xff\xfe\n\n",
    b"nonsense: yes\n\n",
)
OUT_OF_MEMORY = ErrorReply(
    500, "The model ran out of memory.", "out_of_memory", type="server_error"
)


def middle(plan: Plan, reasoning: bool) -> int:
    """The index of the middle of the reasoning, or of the answer; of the plan if it has none."""
    at = [i for i, x in enumerate(plan) if isinstance(x, Delta) and x.reasoning is reasoning]
    return at[len(at) // 2] if at else len(plan) // 2


def cut_answer(plan: Plan) -> Plan:
    """Ends the connection in the middle of the answer."""
    return [*plan[: middle(plan, reasoning=False)], Frame(cut=True)]


def cut_reasoning(plan: Plan) -> Plan:
    """Ends the connection in the middle of the reasoning."""
    return [*plan[: middle(plan, reasoning=True)], Frame(cut=True)]


def cut_second_call(plan: Plan) -> Plan:
    """Ends the connection in the middle of an agent's second call."""
    calls = {
        i: x.value[0]["function"]["arguments"]
        for i, x in enumerate(plan)
        if isinstance(x, Delta) and x.key == "tool_calls"
    }
    if "step 2" not in "".join(calls.values()):
        return plan
    return [*plan[: [*calls][len(calls) // 2]], Frame(cut=True)]


CUTS = (cut_answer, cut_reasoning)


def fail_in_stream(plan: Plan) -> Plan:
    """Sends an error after eight frames, then [DONE]."""
    return [*plan[:8], Frame(event(OUT_OF_MEMORY.body())), DONE]


def add_garbage(plan: Plan) -> Plan:
    """Adds a malformed event after every third frame, one of each kind."""
    spoiled: Plan = []
    for position, item in enumerate(plan):
        spoiled.append(item)
        if position % 3 == 0 and position // 3 < len(GARBAGE):
            spoiled.append(Frame(GARBAGE[position // 3]))
    return spoiled


def split_surrogates(plan: Plan) -> Plan:
    """Sends the first emoji of the answer as two lone surrogates, each in its own frame."""
    for at, item in enumerate(plan):
        value = item.value if isinstance(item, Delta) and not item.reasoning else ""
        if isinstance(item, Delta) and (emoji := re.search("[\U00010000-\U0010ffff]", value)):
            units = emoji[0].encode("utf-16-be")
            high, low = (units[i : i + 2].decode("utf-16-be", "surrogatepass") for i in (0, 2))
            first = item._replace(value=value[: emoji.start()] + high)
            second = item._replace(value=low + value[emoji.end() :], tokens=0)
            return [*plan[:at], first, second, *plan[at + 1 :]]
    return plan


def with_crlf(data: bytes) -> bytes:
    """The frame with CRLF line ends, after two comments."""
    return (b": comment\n\n: another\n" + data).replace(b"\n", b"\r\n")
