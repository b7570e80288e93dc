"""gpt-oss and others that speak harmony: messages in channels.

    <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>

`analysis` is reasoning, `final` the answer, `commentary` without a recipient a preamble that users
see, and with one (`commentary to=functions.f`) a tool call, whose markup stays in the text. A
server that strips special tokens leaves `analysis…assistantfinal…`.

The format: https://github.com/openai/harmony
"""

from typing import TYPE_CHECKING

from gateway.core.families.splitter import Exit, Gate, Grammar, Keep, Kind, State, Text

if TYPE_CHECKING:
    from gateway.core.families.family import Family

_CALL = Exit("tool call", Keep.BEHIND)
_ENDS = {
    "<|end|>": Exit("between"),
    "<|return|>": Exit("between"),
    "<|start|>assistant": Exit("between"),
    "<|start|>assistant to=": _CALL,
}
"""What ends a message. A channel's name alone does not: reasoning may speak of it."""
_CHANNELS = {
    "<|channel|>analysis": Exit("analysis header"),
    "<|channel|>final": Exit("final"),
    "<|channel|>commentary": Exit("commentary"),
    "<|channel|>": Exit("header"),
    "<|channel|>analysis to=": _CALL,
    "<|channel|>commentary to=": _CALL,
    "<|channel|>commentary to=assistant": Exit("header"),
    "to=functions.": _CALL,
}
_HEADERS = {
    "<|channel|>analysis<|message|>": Exit("analysis"),
    "<|channel|>final<|message|>": Exit("answer"),
    "<|channel|>commentary<|message|>": Exit("answer"),
    "<|channel|>commentary to=": _CALL,
}
_HEADER_ENDS = {"<|message|>": Exit("answer"), "<|constrain|>": Exit("header")}
_STRIPPED = {
    "assistantfinal": Exit("answer"),
    "assistantcommentary to=": _CALL,
}


def harmony(family: "Family", inside: bool) -> Grammar:
    """The grammar. What else a header says, and one that was cut off, is markup.

    inside: the prompt ended in the middle of an analysis message.
    """
    states: dict[str, State] = {
        "head": Gate(
            _ENDS | _CHANNELS | {"analysis": Exit("stripped", proves=False)},
            otherwise="analysis" if inside else "answer",
        ),
        "between": Gate(_ENDS | _CHANNELS, otherwise="answer"),
        "analysis header": Text(Kind.MARKUP, {"<|message|>": Exit("analysis"), **_ENDS}),
        "header": Text(Kind.MARKUP, {"<|message|>": Exit("answer"), **_ENDS, **_HEADERS}),
        # What stands in a header that no marker ends is not lost: in a final message it is the
        # answer, in a garbled commentary the model's talk to itself.
        "final": Gate(_HEADER_ENDS, otherwise="answer"),
        "commentary": Gate(_HEADER_ENDS, otherwise="garbled"),
        "garbled": Text(Kind.REASONING, {"<|message|>": Exit("answer"), **_ENDS, **_HEADERS}),
        "analysis": Text(Kind.REASONING, _ENDS | _HEADERS),
        "stripped": Text(Kind.REASONING, _ENDS | _HEADERS | _STRIPPED),
        "answer": Text(Kind.ANSWER, _ENDS | _HEADERS),
        "tool call": Text(
            Kind.ANSWER, dict.fromkeys(("<|call|>", "<|end|>"), Exit("between", Keep.BEFORE))
        ),
    }
    return Grammar(states, "head", opened=inside, unproven=True)
