"""The manifests match Kubernetes' schemas, each other and the gateway's settings."""

import tomllib
from typing import Any

import kubernetes_validate
import pytest
import yaml

from gateway.config import Config, setting_names
from gateway.observe.instruments import INSTRUMENTS
from tests.programs import ROOT

FOLDER = ROOT / "deploy/kubernetes"
KINDS = {
    "ConfigMap",
    "Deployment",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "Secret",
    "Service",
}
OLDEST = (1, 30)


def manifests() -> dict[str, dict[str, Any]]:
    """Kind → manifest."""
    found = [yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yaml")]
    return {manifest["kind"]: manifest for manifest in found}


def pod_spec() -> dict[str, Any]:
    return manifests()["Deployment"]["spec"]["template"]["spec"]


def environment() -> dict[str, str]:
    """The settings in the container's environment, without gateway.toml."""
    settings = {**manifests()["ConfigMap"]["data"], **manifests()["Secret"]["stringData"]}
    return {name: value for name, value in settings.items() if name.isupper()}


def versions() -> list[str]:
    """The Kubernetes versions to validate against, from OLDEST to the newest schema installed."""
    newest = kubernetes_validate.latest_version().split(".")
    return [f"{OLDEST[0]}.{minor}" for minor in range(OLDEST[1], int(newest[1]) + 1)]


def test_there_is_one_manifest_of_each_kind() -> None:
    assert set(manifests()) == KINDS
    assert len(list(FOLDER.iterdir())) == len(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_manifests_match_the_schemas(kind: str) -> None:
    for version in versions():
        kubernetes_validate.validate(manifests()[kind], version, strict=True)


def test_names_labels_and_selectors_match() -> None:
    found = manifests()
    labels = {"app.kubernetes.io/name": "reasoning-gateway"}
    for manifest in found.values():
        assert manifest["metadata"] == {"name": "reasoning-gateway", "labels": labels}
    deployment = found["Deployment"]["spec"]
    assert deployment["selector"]["matchLabels"] == labels
    assert deployment["template"]["metadata"]["labels"] == labels
    assert found["Service"]["spec"]["selector"] == labels
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    target = found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "reasoning-gateway"}


def test_the_settings_are_valid() -> None:
    known = {name.upper() for name in setting_names()} | {"GATEWAY_CONFIG"}
    assert environment().keys() <= known
    settings = {name: text for name, text in environment().items() if name != "GATEWAY_CONFIG"}
    tomllib.loads(manifests()["ConfigMap"]["data"]["gateway.toml"])
    config = Config.load(settings)
    [container] = pod_spec()["containers"]
    assert config.admin_address is not None
    host, admin_port = config.admin_address
    assert container["ports"] == [
        {"name": "http", "containerPort": config.port},
        {"name": "admin", "containerPort": admin_port},
    ]
    assert config.host == host == "0.0.0.0"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == "admin"
    annotations = manifests()["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(admin_port)


def test_the_pod_has_enough_time_to_drain() -> None:
    pod = pod_spec()
    [container] = pod["containers"]
    sleep, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert sleep == "sleep"
    drain_s = float(environment()["DRAIN_TIMEOUT_S"])
    assert pod["terminationGracePeriodSeconds"] >= int(seconds) + drain_s + 15
    ready = container["readinessProbe"]
    assert ready["httpGet"]["path"] == "/ready"
    assert int(seconds) > ready["periodSeconds"] * ready["failureThreshold"]
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["path"] == "/health"


def test_written_files_are_outside_the_read_only_root() -> None:
    pod = pod_spec()
    [container] = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert pod["securityContext"]["runAsNonRoot"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes[mounts["/tmp"]]["emptyDir"]["medium"] == "Memory"
    [metrics] = [e["value"] for e in container["env"] if e["name"] == "PROMETHEUS_MULTIPROC_DIR"]
    assert metrics.startswith("/tmp/")
    assert environment()["GATEWAY_CONFIG"].startswith(f"{next(m for m in mounts if m != '/tmp')}/")


def test_the_autoscaler_uses_an_existing_metric() -> None:
    [metric] = manifests()["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] in {made.name for made in INSTRUMENTS}
    settings = environment()
    limit = int(settings["WEB_CONCURRENCY"]) * int(settings["MAX_STREAMS"])
    assert float(metric["pods"]["target"]["averageValue"]) < limit
