"""The example of a page of one's own, in a real browser."""

from playwright.sync_api import Page

from tests.programs import ROOT


def test_fetch_in_a_browser(page: Page, gateway_url: str) -> None:
    source = (ROOT / "examples/browser_fetch.js").read_text()
    printed: list[str] = []
    page.on("console", lambda message: printed.append(message.text))
    page.evaluate(f"async () => {{ {source.replace('http://127.0.0.1:8080', gateway_url)} }}")
    kinds = [line.split()[0] for line in printed]
    assert kinds[:2] == ["prompt_summary", "reasoning_summary"]
    assert set(kinds[2:-1]) == {"final_output_delta"}
    assert kinds[-1] == "done"
