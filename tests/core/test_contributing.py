"""The examples of CONTRIBUTING.md work as they stand there."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.config import UpstreamConfig
from gateway.core.families.family import Family, tag
from gateway.core.summarizers import Summarizer, Summary
from gateway.upstreams.chat import ChatUpstream
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


def test_the_summarizer() -> None:
    summarizer = example("LineSummarizer", Summarizer=Summarizer, Summary=Summary)("", 60)
    assert summarizer.feed("I add.\nIt ") == ["I add."]
    assert summarizer.feed("is 4.") == []
    assert summarizer.close() == Summary("I add. It is 4.", "It is 4.")
