"""The model picker, the badge of scripted models, and the example prompts."""

import pytest
from playwright.sync_api import expect

from gateway.mock.demo import DEMOS
from gateway.mock.models import MODELS, owner_of


def show_models(demo, *models: dict[str, str]) -> None:
    """Reloads the page with these models in the gateway's list."""
    demo.page.route("**/v1/models", lambda route: route.fulfill(json={"data": list(models)}))
    demo.page.reload()
    expect(demo.model).to_have_value(models[0]["id"])


def test_a_few_models_come_first_and_the_faults_are_a_group(demo):
    groups = demo.model.locator("optgroup")
    expect(groups).to_have_count(3)
    shown = groups.evaluate_all(
        "groups => groups.map((g) => [g.label, [...g.children].map((o) => o.text)])"
    )
    owners = ("mock", "mock-variants", "mock-faults")
    names = [[name for name in MODELS if owner_of(name) == owner] for owner in owners]
    labels = ["Scripted models", "Scripted, with other marks", "Faults"]
    assert shown == [list(pair) for pair in zip(labels, names, strict=True)]
    expect(demo.model).to_have_value("default")


def test_the_examples_of_a_scripted_model_are_its_ten_prompts(demo):
    chips = demo.page.locator(".chip:visible")
    expect(chips).to_have_text([each.prompt for each in DEMOS])
    expect(demo.page.get_by_test_id("scripted")).to_be_visible()
    chips.last.click()
    expect(demo.answer).to_contain_text("الأنهار تجلب الأملاح")
    demo.stop.click()


@pytest.mark.parametrize("name", ["default@tps=300", "thinker"])
def test_the_badge_says_that_a_model_is_scripted(demo, name):
    badge = demo.page.get_by_test_id("scripted")
    demo.choose(model="nobody/knows")
    demo.model_name.blur()
    expect(badge).to_be_hidden()
    demo.choose(model=name)
    demo.prompt.focus()
    expect(badge).to_be_visible()


def test_another_model_has_no_badge_and_fewer_examples(demo):
    show_models(demo, {"id": "qwen3-8b", "owned_by": "vllm", "family": "qwen3"})
    expect(demo.page.get_by_test_id("scripted")).to_be_hidden()
    expect(demo.page.locator(".chip:visible")).to_have_count(4)
    expect(demo.model.locator("optgroup")).to_have_count(0)
    expect(demo.model.locator("option").first).to_have_text("qwen3-8b")
    demo.page.get_by_test_id("options").click()
    expect(demo.page.get_by_test_id("family")).to_have_text("qwen3")


def test_models_of_several_upstreams_are_in_groups(demo):
    show_models(
        demo,
        {"id": "a", "owned_by": "x", "upstream": "local"},
        {"id": "b", "owned_by": "x", "upstream": "cloud"},
        {"id": "c", "owned_by": "x", "upstream": "local"},
    )
    labels = demo.model.locator("optgroup").evaluate_all("groups => groups.map((g) => g.label)")
    assert labels == ["local", "cloud"]
    expect(demo.model.locator("optgroup").first.locator("option")).to_have_text(["a", "c"])
