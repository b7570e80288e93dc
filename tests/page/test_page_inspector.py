"""The inspector: the timeline and the wire of a turn."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import expect


@pytest.fixture
def inspected(demo):
    """The page with the inspector open."""
    demo.page.get_by_test_id("inspect").click()
    return demo


def saved(demo, kind: str) -> Path:
    with demo.page.expect_download() as download:
        demo.page.get_by_test_id(f"export-{kind}").click()
    assert download.value.suggested_filename == f"timeline.{kind}"
    return download.value.path()


def test_the_inspector_opens_by_its_button_and_gives_the_focus_back(demo):
    button = demo.page.get_by_test_id("inspect")
    expect(demo.timeline).to_be_hidden()
    button.click()
    expect(demo.timeline).to_be_visible()
    expect(demo.wire).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")

    demo.page.keyboard.press("Escape")
    expect(demo.timeline).to_be_hidden()
    expect(button).to_be_focused()


def test_the_timeline_is_drawn_while_the_turn_runs(inspected, scripted):
    drawing = inspected.timeline.get_by_role("img")
    inspected.ask("hi", model="default")
    scripted.say(("prompt_summary", {"text": "hi"}))
    expect(drawing).to_have_accessible_name(re.compile(r"^Timeline: Prompt summary \d+ ms"))
    scripted.say(("reasoning_delta", {"text": "So."}))
    expect(drawing).to_have_accessible_name(re.compile(r"Thinking \d+"))
    expect(inspected.timeline.locator(".line-mark")).to_have_count(0)
    scripted.say(("reasoning_summary_delta", {"text": "Thinks."}))
    expect(inspected.timeline.locator(".line-mark")).to_have_count(1)
    scripted.say(("final_output_delta", {"text": "Hi"}))
    expect(drawing).to_have_accessible_name(re.compile(r"Answering \d+"))
    scripted.say(("done", {"finish_reason": "stop"}))
    expect(inspected.status).to_contain_text("Done")


def test_the_figures_of_a_turn(inspected):
    inspected.ask_and_wait("Explain streaming APIs", model="default@tps=300")

    figures = inspected.timeline.locator("dl > div")
    shown = dict(text.split("\n") for text in figures.all_inner_texts())
    assert list(shown) == [
        "Prompt summary",
        "First reasoning",
        "First summary line",
        "First output",
        "End",
        "Longest silence",
        "Reasoning",
        "Answer",
        "Speed",
    ]
    assert re.fullmatch(r"\d+ tokens", shown["Answer"])
    assert re.fullmatch(r"\d+ tokens/s", shown["Speed"])


def test_the_timeline_is_saved_as_json(inspected):
    inspected.ask_and_wait("hi", model="default")
    timeline = json.loads(saved(inspected, "json").read_text())

    assert timeline["prompt"] == "hi"
    assert timeline["choice"]["model"] == "default"
    assert timeline["finish_reason"] == "stop"
    marks = timeline["marks_ms"]
    assert 0 <= marks["prompt_summary"] <= marks["reasoning"] <= marks["output"] <= marks["end"]
    assert timeline["tokens"]["output"] > 0
    assert timeline["gateway_timings"]["total_ms"] >= 0
    assert timeline["usage"]["completion_tokens"] > 0


def test_the_timeline_is_saved_as_images(inspected):
    inspected.ask_and_wait("hi", model="default")
    svg = saved(inspected, "svg").read_text()
    png = saved(inspected, "png").read_bytes()

    assert svg.startswith("<svg ")
    assert "Thinking" in svg
    assert "var(--" not in svg
    assert png.startswith(b"\x89PNG")
    assert len(png) > 2000


def test_the_wire_shows_each_event_as_it_arrived(inspected):
    inspected.ask_and_wait("hi", model="default")
    rows = inspected.wire.locator(".wire-row")
    inspected.page.get_by_test_id("wire-list").press("Home")

    expect(rows.first).to_have_text(re.compile(r"^\d+\.\d{3} sstatus 200\d+ BHTTP 200"))
    expect(rows.nth(1)).to_have_text(
        re.compile(r'^\d\.\d{3} sprompt_summary\d+ B\{"text":"hi","ttft_ms":\d+\}\s*$')
    )
    expect(inspected.page.get_by_test_id("wire-sum")).to_have_text(
        re.compile(r"^\d+ events, \d+(\.\d)? k?B$")
    )


def test_an_event_is_selected_by_click_and_by_keys(inspected):
    inspected.ask_and_wait("hi", model="default")
    detail = inspected.page.get_by_test_id("wire-detail")
    events = inspected.page.get_by_test_id("wire-list")
    events.press("Home")
    inspected.wire.locator(".wire-row").nth(1).click()
    expect(detail).to_contain_text('"text": "hi"')

    inspected.page.keyboard.press("End")
    expect(detail).to_contain_text('"finish_reason": "stop"')
    selected = inspected.wire.locator('[aria-selected="true"]')
    expect(selected).to_contain_text("done")
    expect(events).to_have_attribute("aria-activedescendant", selected.get_attribute("id"))
    inspected.page.keyboard.press("Home")
    expect(detail).to_contain_text("HTTP 200")


def test_the_wire_opens_at_its_end_and_keeps_the_selected_event_in_view(demo):
    demo.page.set_viewport_size({"width": 1280, "height": 1200})
    demo.ask_and_wait("Explain recursion", model="default@tps=0")
    demo.page.get_by_test_id("inspect").click()
    last = demo.wire.locator(".wire-row", has_text="finish_reason")
    expect(last).to_be_in_viewport(ratio=0.9)

    last.click()
    expect(demo.page.get_by_test_id("wire-detail")).to_be_visible()
    expect(demo.wire.locator('[aria-selected="true"]')).to_be_in_viewport(ratio=0.9)


@pytest.mark.parametrize("width", [360, 1280])
def test_the_wire_can_be_read_on_a_low_screen(demo, width):
    demo.page.set_viewport_size({"width": width, "height": 800})
    demo.ask_and_wait("Explain recursion", model="default@tps=0")
    demo.page.get_by_test_id("inspect").click()
    pane, events = demo.page.locator("#inspector"), demo.page.get_by_test_id("wire-list")
    expect(demo.wire.locator(".wire-row").last).to_be_attached()
    assert pane.evaluate("pane => pane.scrollHeight - pane.clientHeight") <= 0
    assert events.bounding_box()["height"] >= 8 * 26
    events.press("End")
    detail = demo.page.get_by_test_id("wire-detail")
    expect(detail).to_be_in_viewport(ratio=1)
    assert events.bounding_box()["height"] >= 4 * 26
    assert detail.bounding_box()["height"] >= 80


def test_an_empty_wire_after_a_reload_is_explained(inspected):
    inspected.ask_and_wait("hi", model="default")
    inspected.page.reload()
    inspected.page.get_by_test_id("inspect").click()
    expect(inspected.page.get_by_test_id("wire-sum")).to_have_text(
        "No events: none arrived, or the page has been reloaded since."
    )


def test_the_wire_can_be_filtered(inspected, scripted):
    inspected.ask("hi", model="default")
    pieces = [("final_output_delta", {"text": text}) for text in ("Hi", "!")]
    scripted.say(("prompt_summary", {"text": "hi"}), *pieces, ("done", {"finish_reason": "stop"}))
    expect(inspected.status).to_contain_text("Done")
    inspected.page.get_by_test_id("wire-filter").fill("Final_Output")

    rows = inspected.wire.locator(".wire-row")
    expect(inspected.page.get_by_test_id("wire-sum")).to_have_text(re.compile(r"^2 events of 5 "))
    assert ["final_output_delta" in text for text in rows.all_inner_texts()] == [True, True]


def test_the_wire_can_be_paused(inspected, scripted):
    total = inspected.page.get_by_test_id("wire-sum")
    pause = inspected.page.get_by_test_id("wire-pause")
    inspected.ask("hi", model="default")
    scripted.say(("prompt_summary", {"text": "hi"}))
    expect(total).to_have_text(re.compile("^2 events"))
    pause.click()
    scripted.say(("final_output_delta", {"text": "Hi"}), ("done", {"finish_reason": "stop"}))
    expect(inspected.status).to_contain_text("Done")
    expect(total).to_have_text(re.compile(r"^2 events, \d+ B\. Paused: 2 more$"))
    expect(pause).to_have_attribute("aria-pressed", "true")

    pause.click()
    expect(total).to_have_text(re.compile("^4 events"))


def test_comments_are_on_the_wire(inspected, scripted):
    inspected.ask("hi", model="default", format="phased")
    scripted.send(": ping\n\n")

    expect(inspected.wire.locator(".wire-row").nth(1)).to_contain_text(": ping")
    inspected.stop.click()


def test_a_long_wire_has_only_visible_rows_in_the_dom(inspected):
    inspected.ask_and_wait("Explain streaming APIs", model="default@tps=2000")
    assert inspected.wire.locator(".wire-row").count() < 80


FAST = "default@tps=2000"
FORMATS = ["phased", "events", "openai", "plain", "messages", "responses"]


@pytest.mark.parametrize("format", FORMATS)
def test_the_curl_command_works_in_every_format(inspected, format):
    inspected.ask_and_wait('It\'s "hi"', model=FAST)
    inspected.page.get_by_test_id("curl-format").select_option(format)
    inspected.page.get_by_test_id("curl").click()
    expect(inspected.page.get_by_test_id("curl")).to_have_text("Copied")
    command = inspected.page.evaluate("navigator.clipboard.readText()")

    words = shlex.split(command)
    assert words[:2] == ["curl", "-N"]
    assert json.loads(words[-1])["model"] == FAST
    run = subprocess.run(["sh", "-c", f"{command} -sS"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert re.search(r"^data: \{", run.stdout, re.MULTILINE)
    assert '"error":{' not in run.stdout


def test_the_inspector_shows_the_turn_of_its_button(demo):
    demo.ask_and_wait("first", model=FAST)
    demo.ask_and_wait("second", model=FAST)
    demo.turns.first.get_by_test_id("inspect-turn").click()

    expect(demo.page.get_by_role("heading", name="Turn 1").last).to_be_visible()
    demo.page.get_by_test_id("wire-filter").fill("first")
    expect(demo.wire.locator(".wire-row").first).to_contain_text("prompt_summary")


def test_a_duration_has_the_unit_of_its_rounded_value(demo):
    shown = demo.page.evaluate(
        """async () => {
            const { duration } = await import("/static/any/units.js");
            return [0, 999.4, 999.6, 59940, 59960, 125400].map(duration);
        }"""
    )
    assert shown == ["0 ms", "999 ms", "1.0 s", "59.9 s", "1 min 0 s", "2 min 5 s"]
