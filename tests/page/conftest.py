"""The demo page in a real browser, against a real gateway and a real mock upstream.

In every test, the page must not log an error, violate its Content-Security-Policy, or send a
request to another origin. Tests wait by locators, because the policy forbids `eval`, which
Playwright's `wait_for_function` needs.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    Route,
    expect,
)

from tests.browser import chromium

expect.set_options(timeout=20_000)


class Tab:
    """A tab of the browser, which the tests of a module share. All modules share the browser.

    A new tab takes half a second of CPU time more, most of it for scripts that are compiled again,
    and a new browser a second and a half.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._browser: Browser | None = None
        self._page: Page | None = None

    def blank(self, origin: str) -> Page:
        """Returns a page without scripts of this origin, with nothing left of other tests."""
        page = self._page
        if page is None or page.is_closed():
            permissions = ["clipboard-read", "clipboard-write"]
            if self._browser is None:
                self._browser = self._stack.enter_context(chromium())
            self._page = page = self._browser.new_context(permissions=permissions).new_page()
        for other in page.context.pages:
            if other is not page:
                other.close()
        page.unroute_all(behavior="ignoreErrors")
        # Only the style sheet depends on it, and animations take a seventh of the CPU time.
        page.emulate_media(color_scheme="null", reduced_motion="reduce")
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(f"{origin}/health")
        page.evaluate("localStorage.clear(); sessionStorage.clear()")
        return page

    def close(self) -> None:
        """Closes the tab, and forgets its cache. The next test gets a new one."""
        if self._page is not None and not self._page.is_closed():
            self._page.context.close()

    def close_browser(self) -> None:
        """An open Playwright keeps an event loop running in the test process."""
        self.close()
        self._browser = None
        self._stack.close()


_tab = Tab()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Closes the browser before a test of another folder, and after the last test."""
    if nextitem is None or nextitem.path.parent != Path(__file__).parent:
        _tab.close_browser()


class FaultWatch:
    """Collects errors, warnings and requests to other origins."""

    def __init__(self, page: Page, origin: str) -> None:
        self.faults: list[str] = []
        self._page = page
        self._origin = origin
        page.on("console", self._on_console)
        page.on("pageerror", self._on_page_error)
        page.on("request", self._on_request)

    def stop(self) -> None:
        """Collects no more."""
        self._page.remove_listener("console", self._on_console)
        self._page.remove_listener("pageerror", self._on_page_error)
        self._page.remove_listener("request", self._on_request)

    def _on_page_error(self, error: Error) -> None:
        self.faults.append(f"uncaught: {error}")

    def _on_console(self, message: ConsoleMessage) -> None:
        # The browser logs every failed fetch of the API; the page handles these.
        failed_fetch = message.text.startswith("Failed to load resource") and (
            message.location["url"].startswith(f"{self._origin}/v1/")
        )
        if message.type in ("error", "warning") and not failed_fetch:
            self.faults.append(f"console: {message.text}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._origin}/", "data:")):
            self.faults.append(f"request: {request.url}")


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    yield _tab
    _tab.close()


@pytest.fixture
def page(tab: Tab, gateway_url: str) -> Iterator[Page]:
    """The page as a user finds it; only its files may be in the browser's cache."""
    origin = gateway_url.rstrip("/")
    page = tab.blank(origin)
    watch = FaultWatch(page, origin)
    page.goto(f"{origin}/")
    yield page
    watch.stop()
    assert watch.faults == []


@pytest.fixture
def first_visit(tab: Tab) -> None:
    """For tests of what the page loads: the browser has none of its files yet."""
    tab.close()


@pytest.fixture
def moving(page: Page) -> None:
    """For tests of what moves, and of what that costs."""
    page.emulate_media(reduced_motion="no-preference")


@pytest.fixture
def clock(tab: Tab, page: Page) -> Iterator[Any]:
    """Playwright's clock of the page, which moves only when the test says so."""
    page.clock.install()
    yield page.clock
    tab.close()  # such a clock stays


class DemoPage:
    """The page's elements by test id. Those of a turn are the last turn's."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.prompt = page.get_by_test_id("prompt")
        self.send = page.get_by_test_id("send")
        self.stop = page.get_by_test_id("stop")
        self.model = page.get_by_test_id("model")
        self.model_name = page.get_by_test_id("model-name")
        self.format = page.get_by_test_id("format")
        self.status = page.get_by_test_id("status")
        self.timeline = page.get_by_test_id("timeline")
        self.wire = page.get_by_test_id("wire")
        self.input_error = page.locator("#input-error").get_by_test_id("error")
        self.turns = page.locator(".turn")
        self.prompt_summary = self.of_turn("prompt-summary")
        self.thoughts = self.of_turn("thoughts")
        self.thoughts_title = self.thoughts.locator("summary").first
        self.summary = self.of_turn("reasoning-summary")
        self.live_lines = self.of_turn("reasoning-live")
        self.trace = self.of_turn("reasoning-trace")
        self.answer = self.of_turn("final-output")
        self.tool_calls = self.of_turn("tool-calls")
        self.error = self.of_turn("error")

    def show_in(self, scheme: str, width: int, *, height: int = 740) -> None:
        """Sets the color scheme and the size."""
        self.page.emulate_media(color_scheme=scheme)
        self.page.set_viewport_size({"width": width, "height": height})

    def of_turn(self, test_id: str) -> Locator:
        return self.turns.last.get_by_test_id(test_id)

    def set_options(self, **options: str) -> None:
        """Sets options in the drawer, named by their test ids with underscores."""
        self.page.get_by_test_id("options").click()
        for name, value in options.items():
            control = self.page.get_by_test_id(name.replace("_", "-"))
            if control.evaluate("control => control.tagName") == "SELECT":
                control.select_option(value)
            else:
                control.fill(value)
        self.page.get_by_test_id("options-close").click()

    def choose(
        self, *, model: str | None = None, format: str | None = None, **options: str
    ) -> None:
        if model is not None and re.search("[@/]", model):
            self.model.select_option(label="Other…")
            self.model_name.fill(model)
        elif model is not None:
            self.model.select_option(model)
        if format is not None:
            options = {"format": format, **options}
        if options:
            self.set_options(**options)

    def ask(self, prompt: str, **choices: str) -> None:
        self.choose(**choices)
        self.prompt.fill(prompt)
        self.send.click()

    def ask_and_wait(self, prompt: str, **choices: str) -> None:
        self.ask(prompt, **choices)
        expect(self.status).to_contain_text("Done in")

    def answer_with(
        self,
        body: str,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        path: str = "v1/chat/completions",
    ) -> None:
        """Replaces the gateway's answer in the next turns."""

        def fulfill(route: Route) -> None:
            content_type = "text/event-stream" if status == 200 else "application/json"
            route.fulfill(
                status=status, body=body, headers={"Content-Type": content_type, **(headers or {})}
            )

        self.page.route(f"**/{path}", fulfill)


@pytest.fixture
def demo(page: Page) -> DemoPage:
    return DemoPage(page)


@pytest.fixture
def named_events():
    """Writes a stream in the `events` format from pairs of name and data."""
    return write_events


def write_events(*events: tuple[str, object]) -> str:
    return "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)


@pytest.fixture
def scripted(demo: DemoPage) -> "Scripted":
    """The page with a network that the test controls."""
    return Scripted(demo.page)


class Scripted:
    """Replaces the network: the running turn receives the events given to :meth:`say`."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.evaluate(
            """() => {
                const real = window.fetch;
                window.fetch = async (url, init) => {
                    if (!init?.body) return real(url, init);
                    const body = new ReadableStream({
                        start(controller) { window.turn = controller; },
                    });
                    init.signal.addEventListener("abort", () =>
                        window.turn.error(init.signal.reason));
                    return new Response(body);
                };
            }"""
        )

    def say(self, *events: tuple[str, object]) -> None:
        self.send(write_events(*events))

    def send(self, text: str) -> None:
        self.page.evaluate("text => window.turn.enqueue(new TextEncoder().encode(text))", text)

    def lose(self) -> None:
        self.page.evaluate("window.turn.error(new TypeError('lost'))")
