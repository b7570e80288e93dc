"""The tests of the JavaScript SDKs in tests/sdk/node, run by Node's own test runner."""

import pytest

from tests.sdk.expected import KEY
from tests.sdk.node import FOLDER, needs_node, run_node


@needs_node
@pytest.mark.parametrize("tests", sorted(path.name for path in FOLDER.glob("*.test.mjs")))
def test_the_javascript_sdks_pass(
    tests: str, gateway_url: str, counted_url: str, always_url: str, keyed_url: str
) -> None:
    urls = {"GATEWAY_URL": gateway_url, "COUNTED_URL": counted_url, "ALWAYS_URL": always_url}
    ran = run_node("--test", tests, **urls, KEYED_URL=keyed_url, KEY=KEY)
    assert ran.returncode == 0, ran.stdout[-5000:]


def test_the_lock_file_names_no_registry() -> None:
    lock = (FOLDER / "package-lock.json").read_text()
    assert '"integrity"' in lock
    assert '"resolved"' not in lock
