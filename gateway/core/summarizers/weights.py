"""What the signs of a statement are worth. Learned, not chosen: see docs/summaries.md.

The weights of WORTH are those of a ridge regression on an editor's marks of 176 traces (best, good,
live line, unmarked, never), those of RESULT of a choice among the statements of a trace: which one
states its result. Both were measured by cross-validation over traces. A sign that did not improve
the held-out figures is not in the tables.
"""

WORTH: dict[str, float] = {
    "begins therefore": 0.37,
    "begins so": 0.19,
    "central": 0.71,
    "late": 1.02,
    "late in a long one": -0.19,
    "formula": 0.14,
    "paragraph": -0.07,
    "order": -0.15,
    "should": -0.02,
    "plan": -0.17,
    "talk": -0.09,
    "supposition": -0.10,
    "otherwise": -0.20,
    "question": -0.34,
    "echo": -0.40,
    "opening": -0.39,
    "restated": -0.69,
    "then wait": -0.08,
    "taken back": -0.22,
}
"""How much an editor would want a statement with this sign in the summary."""

RESULT: dict[str, float] = {
    "final": 2.09,
    "begins therefore": 2.08,
    "settles": 2.00,
    "late": 1.82,
    "because": 1.63,
    "begins since": 1.56,
    "begins so": 1.37,
    "I": 1.32,
    "last three": 1.27,
    "digit": 1.15,
    "formula": 1.09,
    "ends": 0.99,
    "central": 0.63,
    "topic": 0.63,
    "answer": 0.31,
    "talk": -0.15,
    "opening": -0.37,
    "imperative": -0.53,
    "taken back": -0.60,
    "otherwise": -0.68,
    "weak": -0.93,
    "supposition": -1.48,
}
"""How much a statement with this sign looks like the result of the reasoning."""

LEAST_VALUE = 0.35
"""A statement of a lower value is chosen only if there is no other …"""
LOWERED_BY_WORD = 0.01
"""… and this much less is asked for each word that a summary may have beyond 60."""

LEAST_RESULT = 4.0
"""From this on a statement is taken for the result."""
