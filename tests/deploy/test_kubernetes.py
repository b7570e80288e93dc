"""The manifests fit Kubernetes' own schemas, each other, and the gateway."""

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
    """The manifests by kind."""
    found = [yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yaml")]
    return {manifest["kind"]: manifest for manifest in found}


def of_the_pod() -> dict[str, Any]:
    return manifests()["Deployment"]["spec"]["template"]["spec"]


def environment() -> dict[str, str]:
    """What the container's environment holds, but for the file."""
    settings = {**manifests()["ConfigMap"]["data"], **manifests()["Secret"]["stringData"]}
    return {name: value for name, value in settings.items() if name.isupper()}


def versions() -> list[str]:
    """The versions of Kubernetes whose schemas are at hand, from the oldest that matters."""
    newest = kubernetes_validate.latest_version().split(".")
    return [f"{OLDEST[0]}.{minor}" for minor in range(OLDEST[1], int(newest[1]) + 1)]


def test_there_is_one_of_each_kind() -> None:
    assert set(manifests()) == KINDS
    assert len(list(FOLDER.iterdir())) == len(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_manifest_fits_the_schemas(kind: str) -> None:
    for version in versions():
        kubernetes_validate.validate(manifests()[kind], version, strict=True)


def test_they_belong_together() -> None:
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


def test_the_settings_are_the_gateway_s() -> None:
    known = {name.upper() for name in setting_names()} | {"GATEWAY_CONFIG"}
    assert environment().keys() <= known
    settings = {name: text for name, text in environment().items() if name != "GATEWAY_CONFIG"}
    tomllib.loads(manifests()["ConfigMap"]["data"]["gateway.toml"])
    config = Config.load(settings)
    [container] = of_the_pod()["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": config.port}]
    assert config.host == "0.0.0.0"


def test_the_pod_has_the_time_that_the_drain_takes() -> None:
    pod = of_the_pod()
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


def test_what_has_to_be_written_is_written_beside_the_read_only_root() -> None:
    pod = of_the_pod()
    [container] = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert pod["securityContext"]["runAsNonRoot"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes[mounts["/tmp"]]["emptyDir"]["medium"] == "Memory"
    [metrics] = [e["value"] for e in container["env"] if e["name"] == "PROMETHEUS_MULTIPROC_DIR"]
    assert metrics.startswith("/tmp/")
    assert environment()["GATEWAY_CONFIG"].startswith(f"{next(m for m in mounts if m != '/tmp')}/")


def test_the_autoscaler_goes_by_a_metric_that_there_is() -> None:
    [metric] = manifests()["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] in {made.name for made in INSTRUMENTS}
    settings = environment()
    places = int(settings["WEB_CONCURRENCY"]) * int(settings["MAX_STREAMS"])
    assert float(metric["pods"]["target"]["averageValue"]) < places
