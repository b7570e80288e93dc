"""Two gateways with Valkey: the compose file and the manifests fit each other and the gateway."""

import re
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gateway.config import Config
from tests.deploy.test_kubernetes import manifests as gateway_manifests
from tests.deploy.test_kubernetes import versions
from tests.live.proxies import find_proxy
from tests.programs import ROOT

FOLDER = ROOT / "deploy/kubernetes-valkey"
KINDS = {"Deployment", "NetworkPolicy", "Secret", "Service"}
COMPOSE = yaml.safe_load((ROOT / "deploy/compose-two-gateways.yml").read_text())["services"]
EXAMPLE = "redis://:change-me@reasoning-gateway-valkey:6379/0"


def manifests() -> dict[str, dict[str, Any]]:
    found = [yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yaml")]
    return {manifest["kind"]: manifest for manifest in found}


def defaults(text: str) -> str:
    """The text with the defaults of its variables."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_manifests_match_the_schemas(kind: str) -> None:
    assert set(manifests()) == KINDS
    for version in versions():
        kubernetes_validate.validate(manifests()[kind], version, strict=True)


def test_names_labels_ports_and_selectors_match() -> None:
    found = manifests()
    labels = {"app.kubernetes.io/name": "reasoning-gateway-valkey"}
    for manifest in found.values():
        assert manifest["metadata"] == {"name": "reasoning-gateway-valkey", "labels": labels}
    deployment, policy = found["Deployment"]["spec"], found["NetworkPolicy"]["spec"]
    assert deployment["selector"]["matchLabels"] == labels
    assert deployment["template"]["metadata"]["labels"] == labels
    assert found["Service"]["spec"]["selector"] == policy["podSelector"]["matchLabels"] == labels
    [rule] = policy["ingress"]
    pods = gateway_manifests()["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert rule["from"][0]["podSelector"]["matchLabels"] == pods
    [container] = deployment["template"]["spec"]["containers"]
    [port] = container["ports"]
    assert port["containerPort"] == found["Service"]["spec"]["ports"][0]["port"] == 6379
    assert rule["ports"][0]["port"] == port["name"]


def test_the_secret_of_the_gateways_shows_the_address() -> None:
    text = (ROOT / "deploy/kubernetes/secret.yaml").read_text()
    assert EXAMPLE in text
    assert manifests()["Secret"]["stringData"]["VALKEY_PASSWORD"] in EXAMPLE
    assert Config(stream_store=EXAMPLE).store_url == EXAMPLE


@pytest.mark.parametrize("name", ["kubernetes", "compose"])
def test_valkey_never_evicts_and_needs_no_disk(name: str) -> None:
    command = COMPOSE["valkey"]["command"]
    if name == "kubernetes":
        [container] = manifests()["Deployment"]["spec"]["template"]["spec"]["containers"]
        command = container["args"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--maxmemory-policy"] == "noeviction"
    assert (options["--save"], options["--appendonly"]) == ("", "no")


def test_compose_starts_two_gateways_with_one_store() -> None:
    assert set(COMPOSE) == {"gateway-1", "gateway-2", "haproxy", "valkey", "mock"}
    assert COMPOSE["gateway-1"] == COMPOSE["gateway-2"]
    assert COMPOSE["gateway-1"]["build"] == COMPOSE["mock"]["build"] == ".."
    environment = {
        name: defaults(text) for name, text in COMPOSE["gateway-1"]["environment"].items()
    }
    config = Config.load(environment)
    assert config.store_url is not None
    assert config.store_url.endswith("@valkey:6379/0")
    assert defaults(COMPOSE["valkey"]["command"][-1]) in config.store_url


@pytest.mark.skipif(find_proxy("haproxy") is None, reason="haproxy is not installed")
def test_haproxy_takes_the_addresses_of_compose(tmp_path: Path) -> None:
    file = ROOT / "deploy/haproxy.cfg"
    variables = set(re.findall(r"\$\{(\w+)-", file.read_text()))
    assert variables == set(COMPOSE["haproxy"]["environment"])
    assert (
        f"./haproxy.cfg:{COMPOSE['haproxy']['volumes'][0].split(':')[1]}:ro"
        in (COMPOSE["haproxy"]["volumes"])
    )
    addresses = {"CLIENTS": "127.0.0.1:8090", "GATEWAY_1": "127.0.0.1:81", "GATEWAY_2": "[::1]:82"}
    for environment in ({}, addresses):
        subprocess.run(
            [str(find_proxy("haproxy")), "-c", "-f", str(file)], check=True, env=environment
        )
