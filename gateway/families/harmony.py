"""gpt-oss and others that speak harmony: messages in channels.

    <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>

`analysis` is reasoning, `final` the answer, `commentary` without a recipient a preamble that users
see, and with one (`commentary to=functions.f`) a tool call, whose markup stays in the text. A
server that strips special tokens leaves `analysis…assistantfinal…`.

The format: https://github.com/openai/harmony
"""

from typing import TYPE_CHECKING

from gateway.families.splitter import Exit, Gate, Grammar, Keep, Kind, State, Text

if TYPE_CHECKING:
    from gateway.families.family import Family

_CALL = Exit("tool call", Keep.BEHIND)
_MARKERS = {
    "<|start|>assistant": Exit("between"),
    "<|start|>assistant to=": _CALL,
    "<|channel|>": Exit("channel"),
    "<|channel|>commentary to=": _CALL,
    "<|end|>": Exit("between"),
    "<|return|>": Exit("between"),
}
_STRIPPED = {
    "assistantfinal": Exit("answer"),
    "assistantcommentary to=": _CALL,
}


def harmony(family: "Family", inside: bool) -> Grammar:
    """The grammar. Text inside a message goes on until any marker, so truncated headers are fine.

    inside: the prompt ended in the middle of an analysis message.
    """
    states: dict[str, State] = {
        "head": Gate(
            _MARKERS | {"analysis": Exit("stripped", proves=False)},
            otherwise="analysis" if inside else "answer",
        ),
        "between": Gate(_MARKERS, otherwise="answer"),
        # What else a header says (a constraint) is markup, and so is one that was cut off.
        "channel": Gate({"analysis": Exit("analysis header")}, otherwise="header"),
        "analysis header": Text(Kind.MARKUP, {"<|message|>": Exit("analysis")}),
        "header": Text(Kind.MARKUP, {"<|message|>": Exit("answer")}),
        "analysis": Text(Kind.REASONING, _MARKERS),
        "stripped": Text(Kind.REASONING, _MARKERS | _STRIPPED),
        "answer": Text(Kind.ANSWER, _MARKERS),
        "tool call": Text(Kind.ANSWER, {}),
    }
    return Grammar(states, "head", opened=inside, unproven=True)
