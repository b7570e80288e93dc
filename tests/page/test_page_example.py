"""The example of a page of one's own, in a real browser."""

from playwright.sync_api import Page

from tests.programs import ROOT

SOURCE = (ROOT / "examples/browser_fetch.js").read_text()


def events(page: Page, source: str) -> list[str]:
    """The names of the events that the example prints."""
    printed: list[str] = []
    page.on("console", lambda message: printed.append(message.text))
    page.evaluate(f"async () => {{ {source} }}")
    return [line.split()[0] for line in printed]


def test_fetch_in_a_browser(page: Page, gateway_url: str) -> None:
    first, second, *answer, last = events(
        page, SOURCE.replace("http://127.0.0.1:8080", gateway_url)
    )
    assert (first, second, last) == ("prompt_summary", "reasoning_summary", "done")
    assert set(answer) == {"final_output_delta"}


def test_a_stream_that_breaks_off(page: Page, gateway_url: str) -> None:
    source = SOURCE.replace("http://127.0.0.1:8080", gateway_url)
    assert events(page, source.replace('"default"', '"cut@tps=0"'))[-1] == "failed"
