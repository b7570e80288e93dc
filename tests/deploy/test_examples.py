"""The settings that an operator starts from: example files and compose files."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import Config, ignored, setting_names
from tests.programs import ROOT

COMPOSE = [ROOT / "docker-compose.yml", *sorted((ROOT / "deploy/compose").glob("*.yml"))]
VARIABLES = {name.upper() for name in setting_names()}
DEFAULT = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def load(file: Path, environ: dict[str, str] | None = None) -> Config:
    given = {"GATEWAY_CONFIG": str(file), **(environ or {})}
    assert ignored(given) == []
    return Config.load(given)


def test_the_example_file_is_valid_as_it_is() -> None:
    assert load(ROOT / "gateway.example.toml").upstream_url == "http://127.0.0.1:8000/v1"


def test_every_comment_with_a_setting_is_a_valid_setting(tmp_path: Path) -> None:
    text = (ROOT / "gateway.example.toml").read_text()
    whole = re.sub(r"^# (?=\w+ = |\[\[)", "", text, flags=re.MULTILINE)
    whole = whole.replace("sha256:…", "sha256:" + 64 * "0").replace('"…"', '"key"')
    whole = re.sub(r"^upstream_.*$", "", whole, flags=re.MULTILINE)  # [[upstreams]] take its place
    # Two clients can't have the same key.
    whole = whole.replace(64 * "0", 64 * "1", 1)
    file = tmp_path / "gateway.toml"
    file.write_text(whole)
    config = load(file, {"OPENROUTER_API_KEY": "k"})
    assert [upstream.name for upstream in config.upstreams] == ["local-vllm", "cloud"]
    assert [key.name for key in config.keys] == ["ada"]


def test_the_example_environment_is_valid() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert given.keys() <= VARIABLES
    assert Config.load(given).upstream_url == given["UPSTREAM_URL"]


def gateways(file: Path) -> list[dict[str, Any]]:
    services = yaml.safe_load(file.read_text())["services"]
    return [service for name, service in services.items() if name.startswith("gateway")]


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_a_compose_file_sets_what_the_gateway_knows(file: Path) -> None:
    assert gateways(file)
    for service in gateways(file):
        build = service.get("build", ".")
        context = build["context"] if isinstance(build, dict) else build
        assert (file.parent / context / "Dockerfile").exists()
        environ = {
            name: DEFAULT.sub(lambda found: found[2] or "", str(value))
            for name, value in service["environment"].items()
        }
        assert environ.keys() <= VARIABLES
        config = Config.load(environ)
        # The container is stopped only after the drain.
        grace_s = int(service["stop_grace_period"].removesuffix("s"))
        assert grace_s >= config.drain_timeout_s + 10
