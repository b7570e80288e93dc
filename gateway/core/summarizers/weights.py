"""What the signs of a statement are worth. Learned, not chosen: see docs/summaries.md.

The weights of WORTH are those of a ridge regression on an editor's marks of 176 traces (best, good,
live line, unmarked, never), those of RESULT of a choice among the statements of a trace: which one
states its result. Both were measured by cross-validation over traces. A sign that did not improve
the held-out figures is not in the tables.
"""

WORTH: dict[str, float] = {
    "begins therefore": 0.38,
    "begins so": 0.23,
    "central": 0.87,
    "late": 0.46,
    "late in a long one": -0.07,
    "formula": 0.18,
    "paragraph": -0.1,
    "should": -0.13,
    "plan": -0.16,
    "talk": -0.19,
    "supposition": -0.14,
    "otherwise": -0.28,
    "question": -0.47,
    "echo": -0.53,
    "opening": -0.64,
    "restated": -1.06,
    "then wait": -0.08,
    "taken back": -0.21,
}
"""How much an editor would want a statement with this sign in the summary."""

RESULT: dict[str, float] = {
    "answer": 0.79,
    "settles": 1.79,
    "final": 1.67,
    "because": 1.35,
    "begins therefore": 2.17,
    "begins since": 1.98,
    "begins so": 1.26,
    "begins ok": 1.94,
    "I": 1.02,
    "digit": 1.08,
    "formula": 1.08,
    "topic": 0.53,
    "central": 1.19,
    "late": 1.53,
    "last three": 1.02,
    "ends": 0.62,
    "heading": 1.07,
    "very long": 0.39,
    "opening": -0.47,
    "fragment": -0.66,
    "question": -0.68,
    "otherwise": -0.72,
    "restated": -0.77,
    "supposition": -1.11,
    "weak": -1.16,
    "taken back": -1.39,
}
"""How much a statement with this sign looks like the result of the reasoning."""

LEAST_VALUE = 0.43
"""A statement of a lower value is chosen only if there is no other …"""
LOWERED_BY_WORD = 0.01
"""… and this much less is asked for each word that a summary may have beyond 60."""

LEAST_RESULT = 4.0
"""From this on a statement is taken for the result."""
