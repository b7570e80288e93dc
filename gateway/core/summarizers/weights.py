"""What the signs of a statement are worth. Learned, not chosen: see docs/summaries.md.

The weights of WORTH are those of a ridge regression on an editor's marks of 176 traces (best, good,
live line, unmarked, never), those of RESULT of a choice among the statements of a trace: which one
states its result. Both were measured by cross-validation over traces. A sign that did not improve
the held-out figures is not in the tables.
"""

WORTH: dict[str, float] = {
    "begins therefore": 0.37,
    "begins so": 0.22,
    "central": 0.85,
    "late": 0.47,
    "late in a long one": -0.07,
    "formula": 0.19,
    "code": 0.13,
    "paragraph": -0.1,
    "should": -0.13,
    "plan": -0.15,
    "talk": -0.18,
    "check": -0.18,
    "supposition": -0.14,
    "otherwise": -0.29,
    "question": -0.47,
    "echo": -0.53,
    "opening": -0.64,
    "restated": -1.05,
    "then wait": -0.08,
    "taken back": -0.22,
}
"""How much an editor would want a statement with this sign in the summary."""

RESULT: dict[str, float] = {
    "answer": 0.78,
    "settles": 1.47,
    "final": 1.68,
    "because": 1.32,
    "begins therefore": 1.66,
    "begins since": 2.04,
    "begins so": 1.06,
    "begins ok": 2.0,
    "I": 1.11,
    "digit": 1.1,
    "formula": 1.11,
    "topic": 0.53,
    "central": 1.29,
    "late": 1.5,
    "last three": 1.03,
    "ends": 0.71,
    "heading": 1.17,
    "very long": 0.32,
    "opening": -0.5,
    "fragment": -0.58,
    "question": -0.67,
    "otherwise": -0.69,
    "restated": -0.74,
    "supposition": -1.09,
    "weak": -1.19,
    "taken back": -1.39,
}
"""How much a statement with this sign looks like the result of the reasoning."""

LEAST_VALUE = 0.45
"""A statement of a lower value is chosen only if there is no other."""

LEAST_RESULT = 4.0
"""From this on a statement is taken for the result."""
