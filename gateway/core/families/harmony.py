"""harmony, the format of gpt-oss and others: messages in channels.

    <|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>

- `analysis` is reasoning.
- `final` is the answer.
- `commentary` without a recipient is a preamble that users see, so it counts as answer.
- `commentary` with a recipient (`commentary to=functions.f`) is a tool call. Its markup stays in
  the text.

A server that strips special tokens leaves `analysis…assistantfinal…`.

The format: https://github.com/openai/harmony
"""

from typing import TYPE_CHECKING

from gateway.core.families.grammar import (
    Exit,
    Gate,
    Grammar,
    MarkerHandling,
    SegmentKind,
    State,
    Text,
)

if TYPE_CHECKING:
    from gateway.core.families.family import Family

_CALL = Exit("tool call", MarkerHandling.KEEP_IN_NEW_TEXT)
_CALL_END = Exit("between", MarkerHandling.KEEP_IN_OLD_TEXT)
_MESSAGE_ENDS = {
    "<|end|>": Exit("between"),
    "<|return|>": Exit("between"),
    "<|start|>assistant": Exit("between"),
    "<|start|>assistant to=": _CALL,
}
"""The name of a channel alone does not end a message, because reasoning may contain it."""
_CHANNELS = {
    "<|channel|>analysis": Exit("analysis header"),
    "<|channel|>final": Exit("final header"),
    "<|channel|>commentary": Exit("commentary header"),
    "<|channel|>": Exit("header"),
    "<|channel|>analysis to=": _CALL,
    "<|channel|>commentary to=": _CALL,
    "<|channel|>commentary to=assistant": Exit("header"),
    "to=functions.": _CALL,
}
_WHOLE_HEADERS = {
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
    """Returns the grammar. Other text in a header is markup, and so is an incomplete header.

    inside: the prompt ended in the middle of an analysis message.
    """
    in_message = _MESSAGE_ENDS | _WHOLE_HEADERS
    states: dict[str, State] = {
        "head": Gate(
            # An answer may begin with the word "analysis", so it confirms nothing.
            _MESSAGE_ENDS | _CHANNELS | {"analysis": Exit("stripped analysis", confirms=False)},
            otherwise="analysis" if inside else "answer",
        ),
        "between": Gate(_MESSAGE_ENDS | _CHANNELS, otherwise="answer"),
        "analysis header": Text(
            SegmentKind.MARKUP, {"<|message|>": Exit("analysis"), **_MESSAGE_ENDS}
        ),
        "header": Text(SegmentKind.MARKUP, {"<|message|>": Exit("answer"), **in_message}),
        # Text in a header that no marker ends is not dropped. In a final message it is the answer;
        # in a garbled commentary it is the model talking to itself.
        "final header": Gate(_HEADER_ENDS, otherwise="answer"),
        "commentary header": Gate(_HEADER_ENDS, otherwise="garbled commentary"),
        "garbled commentary": Text(
            SegmentKind.REASONING, {"<|message|>": Exit("answer"), **in_message}
        ),
        "analysis": Text(SegmentKind.REASONING, in_message),
        "stripped analysis": Text(SegmentKind.REASONING, in_message | _STRIPPED),
        "answer": Text(SegmentKind.ANSWER, in_message),
        "tool call": Text(SegmentKind.ANSWER, {"<|call|>": _CALL_END, "<|end|>": _CALL_END}),
    }
    return Grammar(states, "head", starts_inside=inside, unconfirmed=True)
