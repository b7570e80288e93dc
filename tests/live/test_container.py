"""The files and the command of the Dockerfile are enough to serve, without a container engine."""

import re
import shutil
import sys
import urllib.request
from pathlib import Path

import yaml

from tests.programs import ROOT, Program

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def copied_paths() -> list[str]:
    """The paths in the COPY lines, relative to the project."""
    lines = re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE)
    return [name for line in lines for name in line.split()[:-1]]


def test_the_image_has_every_file_that_the_gateway_needs(tmp_path: Path, mock_url: str) -> None:
    for name in copied_paths():
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path)
    command = re.search(r'^CMD \["python", (.+)\]$', DOCKERFILE, re.MULTILINE).group(1)
    args = [sys.executable, *re.findall(r'"([^"]+)"', command)]
    env = {"UPSTREAM_URL": mock_url, "PORT": "0", "WEB_CONCURRENCY": "1"}
    with Program(args, r"Listening at: (http://\S+)", env, cwd=tmp_path) as gateway:
        with urllib.request.urlopen(f"{gateway.url}/", timeout=60) as page:
            assert b"data-testid" in page.read()
        check = [sys.executable, "client.py", "--health", "--url", gateway.url]
        Program(check, r"ok", cwd=tmp_path).stop()


def test_dockerignore_allows_exactly_the_copied_paths() -> None:
    kept = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(copied_paths()) == sorted(kept)


def test_compose_starts_gateway_and_mock_from_one_image() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert set(services) == {"gateway", "mock"}
    assert all(service["build"] == "." for service in services.values())
    assert services["gateway"]["read_only"]
    assert services["gateway"]["tmpfs"] == ["/tmp"]  # the workers share their metrics there
    assert services["gateway"]["environment"]["UPSTREAM_URL"].endswith("http://mock:9000}")
    assert services["mock"]["command"][:2] == ["python", "mock_upstream.py"]
