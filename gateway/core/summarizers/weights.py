"""What the signs of a statement are worth. Learned, not chosen: see docs/summaries.md.

The weights of WORTH are those of a ridge regression on an editor's marks of 176 traces (best, good,
live line, unmarked, never), those of RESULT of a choice among the statements of a trace: which one
states its result. Both were measured by cross-validation over traces. A sign that did not improve
the held-out figures is not in the tables.
"""

WORTH: dict[str, float] = {
    "begins therefore": 0.38,
    "begins so": 0.20,
    "central": 0.67,
    "late": 1.03,
    "late in a long one": -0.18,
    "formula": 0.14,
    "paragraph": -0.07,
    "should": -0.09,
    "plan": -0.12,
    "talk": -0.11,
    "supposition": -0.11,
    "otherwise": -0.23,
    "question": -0.36,
    "echo": -0.36,
    "opening": -0.37,
    "restated": -0.64,
    "then wait": -0.05,
    "taken back": -0.13,
}
"""How much an editor would want a statement with this sign in the summary."""

RESULT: dict[str, float] = {
    "final": 2.12,
    "begins therefore": 2.06,
    "settles": 1.93,
    "late": 1.78,
    "begins since": 1.60,
    "because": 1.58,
    "begins so": 1.40,
    "last three": 1.25,
    "I": 1.15,
    "digit": 1.15,
    "formula": 1.09,
    "ends": 0.94,
    "central": 0.82,
    "answer": 0.66,
    "topic": 0.59,
    "otherwise": -0.71,
    "taken back": -0.75,
    "supposition": -0.96,
    "imperative": -1.50,
    "weak": -1.51,
}
"""How much a statement with this sign looks like the result of the reasoning."""

LEAST_VALUE = 0.35
"""A statement of a lower value is chosen only if there is no other …"""
LOWERED_BY_WORD = 0.01
"""… and this much less is asked for each word that a summary may have beyond 60."""

LEAST_RESULT = 4.0
"""From this on a statement is taken for the result."""
