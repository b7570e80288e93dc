"""The browser example, in a real browser."""

from playwright.sync_api import Page

from tests.programs import ROOT

SOURCE = (ROOT / "examples/browser_fetch.js").read_text()


def printed_events(page: Page, source: str) -> list[str]:
    """The names of the events that the example prints."""
    printed: list[str] = []
    page.on("console", lambda message: printed.append(message.text))
    page.evaluate(f"async () => {{ {source} }}")
    return [line.split()[0] for line in printed]


def test_the_example_prints_the_events(page: Page, gateway_url: str) -> None:
    first, second, *answer, last = printed_events(
        page, SOURCE.replace("http://127.0.0.1:8080", gateway_url)
    )
    assert (first, second, last) == ("prompt_summary", "reasoning_summary", "done")
    assert set(answer) == {"final_output_delta"}


def test_the_example_prints_the_failure_of_a_cut_stream(page: Page, gateway_url: str) -> None:
    source = SOURCE.replace("http://127.0.0.1:8080", gateway_url)
    assert printed_events(page, source.replace('"default"', '"cut@tps=0"'))[-1] == "failed"
