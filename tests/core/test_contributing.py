"""The examples of CONTRIBUTING.md work as they stand there."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from gateway.config import UpstreamConfig
from gateway.core.families.family import Family, tag
from gateway.core.summarizers import BUDGET_WORDS, SUMMARIZERS, Summarizer, Summary
from gateway.core.summarizers.text import shorten
from gateway.upstreams.chat import ChatUpstream
from tests.core.core import test_summarizers as contract
from tests.programs import ROOT

CODE = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)


def example(name: str, **names: Any) -> Any:
    """Returns the object that the example defines under this name."""
    [code] = [block for block in CODE if block.startswith((f"class {name}", f"{name} = "))]
    exec(code, names)
    return names[name]


def test_the_family() -> None:
    family = example("FAMILIES", Family=Family, tag=tag)[-1]
    segments = family.splitter().feed("I add.</ponder>Four.")
    assert [text for _, text in segments] == ["I add.", "Four."]


def test_the_upstream() -> None:
    upstream = example("TaggedUpstream", ChatUpstream=ChatUpstream, msgspec=msgspec)
    call = upstream(UpstreamConfig(name="a", url="http://127.0.0.1:1")).completion({}, "m", "id")
    headers: Mapping[str, str] = call.headers
    assert headers["X-Tag"] == "gateway"
    assert headers["X-Request-Id"] == "id"


def test_the_summarizer_keeps_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    summarizer = example(
        "LastLineSummarizer", Summarizer=Summarizer, Summary=Summary, shorten=shorten
    )
    name = "last-line"
    monkeypatch.setitem(SUMMARIZERS, name, summarizer)
    every = contract.TestEverySummarizer()
    every.test_short_reasoning_is_its_own_summary(name)
    every.test_no_reasoning_gives_nothing(name)
    for detail in BUDGET_WORDS:
        every.test_a_summary_keeps_its_budget_and_states_the_conclusion(name, detail)
    every.test_live_lines_come_while_the_model_thinks(name)
    every.test_any_text_in_any_pieces(name)
    every.test_no_cut_changes_the_summary(name)
