"""The documentation is complete and agrees with the code."""

import re
from pathlib import Path

import pytest

from gateway.apis import APIS, Api
from gateway.config import Config, setting_names
from gateway.core.families import FAMILIES, Families, Family
from gateway.core.summarizers import SUMMARIZERS, Summarizers
from gateway.errors import CODES
from gateway.terminal import cli
from gateway.terminal.formats import FORMATS
from scripts.write_docs import PARTS, with_parts
from tests.programs import ROOT

DOCS = {path.name: path.read_text() for path in [*ROOT.glob("docs/*.md"), ROOT / "README.md"]}


@pytest.mark.parametrize("name", setting_names())
def test_every_setting_is_listed_with_its_default(name: str) -> None:
    default = getattr(Config(), name)
    written = str(default).lower() if isinstance(default, bool) else default
    worded = {
        "web_concurrency": "number of cores",
        "max_waiting_per_address": "a quarter of the worker's connections",
    }
    shown = worded.get(name) or ("none" if default is None else f"`{written}`")
    assert f"| `{name.upper()}` | {shown} |" in DOCS["settings.md"]


@pytest.mark.parametrize("name", setting_names())
def test_every_setting_is_described_as_in_the_code(name: str) -> None:
    [description] = [
        meta.description
        for meta in Config.__annotations__[name].__metadata__
        if getattr(meta, "description", None)
    ]
    row = next(r for r in DOCS["settings.md"].splitlines() if r.startswith(f"| `{name.upper()}`"))
    assert description.rstrip(".") in row


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_error_code_is_listed(code: str) -> None:
    assert f"| `{code}` |" in DOCS["api.md"]


def test_every_error_code_in_the_source_is_declared() -> None:
    for source in ROOT.glob("gateway/**/*.py"):
        named = set(re.findall(r'"(upstream_\w+)"', source.read_text()))
        assert named - {"upstream_timings"} <= CODES, source


def test_every_event_is_listed() -> None:
    source = (ROOT / "gateway/apis/chat/events.py").read_text()
    names = set(re.findall(r'return "(\w+)",', source)) | {"heartbeat"}
    assert len(names) == 10
    for name in names:
        assert f"| `{name}` |" in DOCS["api.md"]


@pytest.mark.parametrize("api", APIS, ids=lambda api: api.name)
def test_every_format_is_described(api: Api) -> None:
    for name in api.formats:
        assert f"## `{name}`" in DOCS["api.md"]
        assert any(
            re.search(rf"\| {re.escape(cell)}", DOCS["README.md"])
            for cell in (f"`{name}`", f"`POST {api.paths[0]}`")
        )


@pytest.mark.parametrize("page", PARTS)
def test_generated_parts_are_up_to_date(page: str) -> None:
    text = (ROOT / page).read_text()
    assert text == with_parts(page, text), "run `make docs`"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_every_family_is_listed(family: Family) -> None:
    assert f"| `{family.name}` |" in DOCS["models.md"]


@pytest.mark.parametrize("page", DOCS)
def test_every_link_has_a_target(page: str) -> None:
    folder = ROOT if page == "README.md" else ROOT / "docs"
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", DOCS[page]):
        assert (folder / target).exists(), target


@pytest.mark.parametrize("page", ["settings.md", "models.md"])
def test_every_example_of_the_settings_file_is_valid(page: str, tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", DOCS[page], re.DOTALL)
    assert examples
    for example in examples:
        (tmp_path / "gateway.toml").write_text(example)
        environ = dict.fromkeys(re.findall(r'key_env = "(\w+)"', example), "a-key")
        config = Config.load({"GATEWAY_CONFIG": str(tmp_path / "gateway.toml"), **environ})
        Families(config)
        Summarizers(config, SUMMARIZERS)


def test_every_option_and_exit_status_of_the_client_is_listed() -> None:
    for option in cli.main.params:
        assert f"| `{option.opts[-1]}" in DOCS["client.md"], option.opts[-1]
    for status in (0, 1, 2, 130):
        assert f"| {status} |" in DOCS["client.md"]


def test_every_format_of_the_client_is_listed() -> None:
    for name in FORMATS:
        assert f"`{name}`" in DOCS["client.md"]


def test_the_design_page_lists_exactly_the_files_that_exist() -> None:
    tree = DOCS["design.md"].split("```")[1].split("gateway/\n")[1].split("tests/")[0]
    named = {name.rstrip("/") for line in tree.splitlines() for name in _names(line)}
    inside = (path.name for path in (ROOT / "gateway").iterdir())
    there = {name for name in inside if not name.startswith("__")} - {"py.typed"}
    assert named == there


def _names(line: str) -> list[str]:
    """Returns the files and folders that a line of the tree begins with."""
    return re.split(r" {2,}", line.strip())[0].split()


def test_every_link_of_the_changelog_has_a_target() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert Path(ROOT, target).exists(), target
