"""Every example in docs/upstreams.md is valid."""

import re
from pathlib import Path

import pytest

from gateway.config import Config, UpstreamConfig
from gateway.core.families import Families
from tests.programs import ROOT

PAGE = (ROOT / "docs/upstreams.md").read_text()
SNIPPETS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
SERVERS = (
    *("vLLM", "SGLang", "llama.cpp", "Ollama", "LM Studio"),
    *("DeepSeek", "OpenRouter", "Groq", "Mistral"),
)


def load(tmp_path: Path, toml: str) -> Config:
    path = tmp_path / "gateway.toml"
    path.write_text(toml)
    keys = dict.fromkeys(re.findall(r'api_key_env = "(\w+)"', toml), "a-key")
    return Config.load({"GATEWAY_CONFIG": str(path), **keys})


@pytest.mark.parametrize("toml", SNIPPETS)
def test_every_example_is_valid(tmp_path: Path, toml: str) -> None:
    config = load(tmp_path, toml)
    assert len(config.upstreams) == toml.count("[[upstreams]]") > 0
    Families(config)
    for upstream in config.upstreams:
        keyed = "api_key_env" in toml and upstream.url.startswith("https:")
        assert upstream.api_key == ("a-key" if keyed else None)


@pytest.mark.parametrize("server", SERVERS)
def test_every_server_has_a_section_with_an_example(server: str) -> None:
    section = PAGE.split(f"\n## {server}\n")[1].split("\n## ")[0]
    assert "```toml\n[[upstreams]]" in section
    assert "ource" in section


def test_local_servers_have_a_start_command() -> None:
    for command in ("vllm serve", "sglang.launch_server", "llama-server", "ollama serve", "lms"):
        assert f"{command} " in PAGE or f"{command}\n" in PAGE


def test_no_example_uses_the_gateways_port(tmp_path: Path) -> None:
    for toml in SNIPPETS:
        urls = [upstream.url for upstream in load(tmp_path, toml).upstreams]
        assert not [url for url in urls if f":{Config().port}/" in f"{url}/"]


def test_every_key_in_an_example_is_a_setting() -> None:
    used = {key for toml in SNIPPETS for key in re.findall(r"^(\w+) = ", toml, re.MULTILINE)}
    assert used - {"match", "family"} <= set(UpstreamConfig.__struct_fields__)
