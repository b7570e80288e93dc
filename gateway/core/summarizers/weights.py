"""What the signs of a statement are worth. Learned, not chosen: see docs/summaries.md.

The weights of WORTH are those of a ridge regression on an editor's marks of 176 traces (best, good,
live line, unmarked, never), those of RESULT of a choice among the statements of a trace: which one
states its result. Both were measured by cross-validation over traces. A sign that did not improve
the held-out figures is not in the tables.
"""

WORTH: dict[str, float] = {
    "begins therefore": 0.36,
    "begins so": 0.20,
    "central": 0.72,
    "late": 0.99,
    "formula": 0.13,
    "late in a long one": -0.19,
    "plan": -0.26,
    "supposition": -0.11,
    "otherwise": -0.25,
    "question": -0.36,
    "echo": -0.35,
    "opening": -0.40,
    "restated": -0.52,
    "taken back": -0.24,
}
"""How much an editor would want a statement with this sign in the summary."""

RESULT: dict[str, float] = {
    "begins therefore": 2.03,
    "late": 2.01,
    "final": 1.98,
    "settles": 1.91,
    "because": 1.63,
    "last three": 1.26,
    "begins so": 1.24,
    "digit": 1.23,
    "begins since": 1.22,
    "I": 1.18,
    "ends": 0.99,
    "formula": 0.95,
    "central": 0.84,
    "topic": 0.68,
    "answer": 0.32,
    "opening": -0.41,
    "otherwise": -0.56,
    "taken back": -0.59,
    "supposition": -1.50,
    "weak": -1.55,
}
"""How much a statement with this sign looks like the result of the reasoning."""

LEAST_VALUE = 0.35
"""A statement of a lower value is chosen only if there is no other …"""
LOWERED_BY_WORD = 0.01
"""… and this much less is asked for each word that a summary may have beyond 60."""

LEAST_RESULT = 4.0
"""From this on a statement is taken for the result."""
