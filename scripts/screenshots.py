"""Takes the screenshots of the demo page for the docs: `make screenshots`.

docs/before-after.webp shows one prompt at one moment: on the left a page that prints the stream of
the model server, on the right the demo page. docs/page.webp shows the page after a turn, with the
inspector beside it. docs/compare.webp shows two models side by side. docs/turn.webp is an animation
of a turn in real time. docs/summaries.webp shows the thoughts of one turn twice: with extractive
lines, and with a line that a person has written as a summary model would.
"""

import io
import itertools
import shutil
import sys
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.programs import ROOT, start_gateway, start_mock

PROMPT = "Should I switch doors in the Monty Hall problem?"
MODEL = "default"
OTHER_MODEL = "no-reasoning"
FIRST_WORDS = "Switching wins two times"
"""The answer to PROMPT begins with these words."""
RAW_CHAT = ROOT / "scripts/raw_chat.html"
SUMMARIZED_PROMPT = "Explain streaming APIs"
SUMMARIZED_MODEL = "long-thinking"
SUMMARY_MODEL = "summarizer-edits@tps=0"
TOKENS_PER_SECOND = "80"
SLOW_TOKENS_PER_SECOND = "25"
FRAME_S = 0.12
END_S = 2.5
MAX_ANIMATION_BYTES = 1_000_000
TIMEOUT_MS = 60_000


def main() -> int:
    """Writes the files. Returns the exit status."""
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    if chromium is None:
        missing = "Chromium is not installed; on Debian: apt-get install chromium-headless-shell"
        print(missing, file=sys.stderr)
        return 1
    expect.set_options(timeout=TIMEOUT_MS)
    with (
        start_mock("--tokens-per-second", TOKENS_PER_SECOND) as mock,
        start_gateway(mock.url) as gateway,
        start_gateway(
            mock.url,
            summarizer="model",
            summarizer_url=mock.url,
            summarizer_model=SUMMARY_MODEL,
        ) as writing,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with (
            start_mock("--tokens-per-second", SLOW_TOKENS_PER_SECOND) as slow_mock,
            start_gateway(slow_mock.url) as before_it,
        ):
            take_before_after(
                browser, slow_mock.url, before_it.url, ROOT / "docs/before-after.webp"
            )
        take_screenshot(open_page(browser, gateway.url, 1360, 850), ROOT / "docs/page.webp")
        take_comparison(open_page(browser, gateway.url, 1360, 850), ROOT / "docs/compare.webp")
        record_animation(open_page(browser, gateway.url, 860, 600), ROOT / "docs/turn.webp")
        pages = [
            open_page(browser, each.url, 680, 850, SUMMARIZED_MODEL) for each in (gateway, writing)
        ]
        take_summaries(pages, ROOT / "docs/summaries.webp")
        browser.close()
    return 0


def open_page(browser: Browser, url: str, width: int, height: int, model: str = MODEL) -> Page:
    """Opens the page in the light theme, with the model chosen."""
    size = {"width": width, "height": height}
    page = browser.new_page(viewport=size, color_scheme="light")
    page.goto(f"{url}/#model={model}")
    expect(page.get_by_test_id("model")).to_have_value(model)
    return page


def ask(page: Page, prompt: str = PROMPT) -> None:
    page.get_by_test_id("prompt").press_sequentially(prompt)
    page.get_by_test_id("send").click()


def take_before_after(browser: Browser, model_url: str, gateway_url: str, file: Path) -> None:
    """Takes a page that prints the stream of the model server beside the demo page.

    Both send the same prompt at once, and are taken as soon as the demo page has the beginning of
    the answer.
    """
    context = browser.new_context(
        viewport={"width": 540, "height": 700}, device_scale_factor=1.5, color_scheme="light"
    )
    pages = [context.new_page() for _ in range(2)]
    raw, phased = pages
    raw.route(f"{model_url}/chat", lambda route: route.fulfill(path=RAW_CHAT))
    raw.goto(f"{model_url}/chat")
    phased.goto(f"{gateway_url}/#model={MODEL}")
    phased.get_by_test_id("prompt").fill(PROMPT)
    raw.evaluate("([prompt, model]) => void ask(prompt, model)", [PROMPT, MODEL])
    phased.get_by_test_id("send").click()
    expect(phased.get_by_test_id("thoughts")).to_have_attribute("data-state", "done")
    phased.get_by_test_id("thoughts").locator("summary").first.click()
    phased.evaluate("document.activeElement.blur()")
    phased.mouse.move(0, 0)
    expect(phased.get_by_test_id("final-output")).to_contain_text(FIRST_WORDS)
    side_by_side([screenshot(page) for page in pages]).save(file, quality=68, method=6)
    print(f"{file}: {file.stat().st_size:,} bytes")
    context.close()


def take_screenshot(page: Page, file: Path) -> None:
    """Takes a finished turn with its thoughts open and the inspector beside it."""
    ask(page)
    expect(page.get_by_test_id("status")).to_contain_text("Done")
    page.get_by_test_id("inspect").click()
    page.get_by_test_id("thoughts").locator("summary").first.click()
    page.get_by_test_id("wire-list").press("Home")
    page.keyboard.press("ArrowDown")
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)
    screenshot(page).save(file, quality=90, method=6)
    print(f"{file}: {file.stat().st_size:,} bytes")


def take_summaries(pages: list[Page], file: Path) -> None:
    """Takes the same turn on each page, with its thoughts open, side by side."""
    images = []
    for page in pages:
        ask(page, SUMMARIZED_PROMPT)
        expect(page.get_by_test_id("status")).to_contain_text("Done")
        thoughts = page.get_by_test_id("thoughts").locator("summary")
        thoughts.first.click()
        thoughts.filter(has_text="live lines").click()
        page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
        page.wait_for_timeout(300)
        images.append(screenshot(page))
    side_by_side(images).save(file, quality=90, method=6)
    print(f"{file}: {file.stat().st_size:,} bytes")


def take_comparison(page: Page, file: Path) -> None:
    """Takes two models that answer one prompt."""
    page.get_by_test_id("compare").click()
    page.get_by_test_id("side-model").last.select_option(OTHER_MODEL)
    page.get_by_test_id("compare-prompt").fill(PROMPT)
    page.get_by_test_id("compare-run").click()
    expect(page.get_by_test_id("compare-verdict")).not_to_be_empty()
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(300)
    screenshot(page).save(file, quality=90, method=6)
    print(f"{file}: {file.stat().st_size:,} bytes")


def record_animation(page: Page, file: Path) -> None:
    """Records a turn from the prompt to its end."""
    frames: list[Image.Image] = []
    times: list[float] = []

    def add_frame() -> None:
        times.append(time.monotonic())
        frames.append(screenshot(page))

    add_frame()
    ask(page)
    status = page.get_by_test_id("status")
    while "Done" not in (status.text_content() or ""):
        add_frame()
        page.wait_for_timeout(max(0, times[-1] + FRAME_S - time.monotonic()) * 1000)
    add_frame()
    durations = [round((end - begin) * 1000) for begin, end in itertools.pairwise(times)]
    durations[0] = round(FRAME_S * 10_000)
    for quality in (80, 65, 50, 35):
        frames[0].save(
            file,
            save_all=True,
            append_images=frames[1:],
            duration=[*durations, round(END_S * 1000)],
            loop=0,
            quality=quality,
            method=4,
        )
        if file.stat().st_size < MAX_ANIMATION_BYTES:
            break
    print(f"{file}: {len(frames)} frames, {file.stat().st_size:,} bytes")


def side_by_side(images: list[Image.Image]) -> Image.Image:
    """Returns images of one size as one."""
    width, height = images[0].size
    whole = Image.new("RGB", (len(images) * width, height))
    for number, image in enumerate(images):
        whole.paste(image, (number * width, 0))
    return whole


def screenshot(page: Page) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


if __name__ == "__main__":
    sys.exit(main())
