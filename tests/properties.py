"""The number of examples that a property test draws."""

import os

import hypothesis

EXAMPLES = int(os.environ.get("EXAMPLES", "25"))
"""Each run draws other examples. After a change to what a property is about, draw many:
`EXAMPLES=1000 pytest -m hypothesis …`."""


def examples(times: float) -> hypothesis.settings:
    """Settings for a test whose examples are cheaper than others, or that has many parameters."""
    return hypothesis.settings(max_examples=max(1, round(EXAMPLES * times)))
