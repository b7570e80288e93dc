"""What the doctor concludes from a model server's answer."""

from collections.abc import Sequence

import pytest

from gateway.cli.findings import Finding, Observed, about_answer
from gateway.config import Config
from gateway.core.families import Families
from gateway.core.parts import Content, End, Fault, Finish, Part, Reasoning

STEADY = [0.2 + 0.05 * number for number in range(40)]


def findings(
    parts: Sequence[Part],
    *,
    model: str = "qwen3-8b",
    read_at_s: Sequence[float] = STEADY,
    frames: int = 40,
    field: str = "",
) -> list[Finding]:
    families = Families(Config())
    observed = Observed(parts, frames, read_at_s, field)
    return about_answer(observed, families.reading("a", model), families.find(model))


def levels(found: list[Finding]) -> list[str]:
    return [finding.level for finding in found]


def test_a_server_that_labels_the_reasoning_is_in_order() -> None:
    parts = [Reasoning("Hm."), Content("9.9."), Finish("stop"), End()]
    found = findings(parts, field="reasoning_content")
    assert levels(found) == ["ok", "ok", "ok"]
    assert "`reasoning_content`" in found[1].text


def test_marked_reasoning_is_recognized_by_its_family() -> None:
    found = findings([Content("<think>Hm."), Content("</think>9.9."), Finish("stop"), End()])
    assert levels(found) == ["ok", "ok", "ok"]
    assert "as in the family think-tools" in found[1].text


def test_reasoning_that_the_template_opened_has_an_advice() -> None:
    found = findings([Content("Hm.</think>9.9."), Finish("stop"), End()], model="unknown")
    assert found[1].level == "hint"
    assert "starts_inside = true" in found[1].advice


def test_an_answer_without_reasoning_has_an_advice() -> None:
    found = findings([Content("9.9."), Finish("stop"), End()], model="unknown")
    assert levels(found) == ["ok", "hint", "ok"]
    assert "[[models]]" in found[1].advice


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([Fault("Too much.")], "breaks off: Too much."),
        ([Finish("stop"), End()], "its answer is empty"),
        ([Content("9.9")], "its answer has no end"),
    ],
)
def test_a_bad_answer_is_a_fault(parts: list[Part], says: str) -> None:
    found = findings(parts)
    assert found[0].level == "fault"
    assert says in found[0].text


def test_an_answer_that_comes_at_once_was_held_back() -> None:
    parts = [Reasoning("Hm."), Content("9.9."), Finish("stop"), End()]
    [*_, pace] = findings(parts, read_at_s=[6.0, 6.01], field="reasoning")
    assert pace.level == "fault"
    assert "proxy_buffering off" in pace.advice


def test_a_fast_server_does_not_look_like_a_proxy_that_buffers() -> None:
    parts = [Reasoning("Hm."), Content("9.9."), Finish("stop"), End()]
    [*_, pace] = findings(parts, read_at_s=[0.05, 0.06], field="reasoning")
    assert pace.level == "ok"
