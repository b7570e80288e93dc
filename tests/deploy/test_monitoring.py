"""The dashboard and the alert rules use only existing metrics, labels and error codes."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.errors import CODES
from gateway.observe.instruments import INSTRUMENTS, Instrument
from tests.programs import ROOT

DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text())
RULES = ROOT / "deploy/prometheus/alerts.yml"
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
PROMETHEUS_LABELS = {"instance", "job"}
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool (Debian's prometheus) is not installed"
)


def series() -> dict[str, Instrument]:
    """Name of a series in Prometheus → its metric."""
    found = {}
    for made in INSTRUMENTS:
        ends = ("_bucket", "_count", "_sum") if made.kind == "histogram" else ("",)
        found |= {made.name + end: made for end in ends}
    return found


def expressions() -> Iterator[str]:
    """All expressions of the dashboard and the alerts."""
    yield from dashboard_expressions()
    yield from (rule["expr"] for rule in ALERTS)


def dashboard_expressions() -> Iterator[str]:
    """The dashboard's expressions, with its variables filled in."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            filled = target["expr"].replace("$__rate_interval", "5m")
            yield re.sub(r"\$(upstream|family)", ".*", filled)


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_expressions_use_existing_metrics_and_labels(expression: str) -> None:
    names = set(re.findall(r"\bgateway_\w+", re.sub(r'code=~?"[^"]+"', "", expression)))
    assert names <= series().keys()
    known = {label for name in names for label in series()[name].labels} | PROMETHEUS_LABELS
    if any(name.endswith("_bucket") for name in names):
        known.add("le")
    grouped = {
        label.strip()
        for labels in re.findall(r"\bby \(([^)]*)\)", expression)
        for label in labels.split(",")
    }
    selected = set(re.findall(r"(\w+)(?:=~|!=|!~|=)\"", expression)) - {"__name__"}
    assert grouped | selected <= known


@pytest.mark.parametrize("expression", [rule["expr"] for rule in ALERTS])
def test_alerts_use_existing_error_codes(expression: str) -> None:
    for pattern in re.findall(r'code=~?"([^"]+)"', expression):
        for name in pattern.split("|"):
            assert any(re.fullmatch(name, code) for code in CODES)


@pytest.mark.parametrize("made", INSTRUMENTS, ids=lambda made: made.name)
def test_the_dashboard_shows_every_metric(made: Instrument) -> None:
    assert any(
        re.search(rf"\b{made.name}(_bucket)?\b", expression)
        for expression in dashboard_expressions()
    )


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"]


def test_the_docs_list_every_alert() -> None:
    docs = (ROOT / "docs/operating.md").read_text()
    for rule in ALERTS:
        assert f"| `{rule['alert']}` | {rule['labels']['severity']} |" in docs


# --- promtool ------------------------------------------------------------------------------------


def promtool(*args: str) -> None:
    done = subprocess.run(["promtool", *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_accepts_rules_and_dashboard_expressions(tmp_path: Path) -> None:
    promtool("check", "rules", str(RULES))
    records = [
        {"record": f"shown:{n}", "expr": text} for n, text in enumerate(dashboard_expressions())
    ]
    rules = tmp_path / "shown.yml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "shown", "rules": records}]}))
    promtool("check", "rules", str(rules))


def grows(metric: str, labels: str, by: float) -> dict[str, str]:
    """A counter that grows by this much per minute."""
    return {"series": f"{metric}{{{labels}}}", "values": f"0+{by}x60"}


def stays(metric: str, labels: str, at: float) -> dict[str, str]:
    return {"series": f"{metric}{{{labels}}}", "values": f"{at}x60"}


def late(metric: str, labels: str, bound: str, by: float) -> list[dict[str, str]]:
    """A histogram with all observations between this bound and 100."""
    return [
        grows(f"{metric}_bucket", f'{labels}le="{bound}"', 0),
        grows(f"{metric}_bucket", f'{labels}le="100"', by),
        grows(f"{metric}_bucket", f'{labels}le="+Inf"', by),
    ]


TURNS = [grows("gateway_turns_total", 'upstream="a",end="done",blame="none"', 60)]
HEALTHY = [
    stays("up", 'job="reasoning-gateway",instance="g"', 1),
    *TURNS,
    stays("gateway_breaker_state", 'upstream="a",worker="0"', 0),
    stays("gateway_open_streams", 'instance="g"', 100),
    stays("gateway_stream_limit", 'instance="g"', 2000),
    stays("gateway_stream_store_up", 'instance="g"', 1),
    grows("gateway_turn_errors_total", 'code="client_left"', 30),
    grows("gateway_error_responses_total", 'code="bad_request"', 30),
]
FAULTS: dict[str, tuple[dict[str, str], list[dict[str, str]]]] = {
    "GatewayDown": (
        {"job": "reasoning-gateway", "instance": "g"},
        [stays("up", 'job="reasoning-gateway",instance="g"', 0)],
    ),
    "GatewayBreakerOpen": (
        {"upstream": "a"},
        [stays("gateway_breaker_state", 'upstream="a",worker="0",instance="g"', 2)],
    ),
    "GatewayUpstreamFailing": (
        {"upstream": "a"},
        [*TURNS, grows("gateway_turns_total", 'upstream="a",end="failed",blame="upstream"', 10)],
    ),
    "GatewayInternalErrors": (
        {},
        [
            grows("gateway_turn_errors_total", 'code="internal_error"', 1),
        ],
    ),
    "GatewayNearlyFull": (
        {"instance": "g"},
        [
            stays("gateway_open_streams", 'instance="g"', 1900),
            stays("gateway_stream_limit", 'instance="g"', 2000),
        ],
    ),
    "GatewayStreamStoreAway": (
        {"instance": "g"},
        [stays("gateway_stream_store_up", 'instance="g"', 0)],
    ),
    "GatewayRejectsRequests": (
        {"code": "gateway_full"},
        [grows("gateway_error_responses_total", 'code="gateway_full"', 5)],
    ),
    "GatewaySlowFirstOutput": (
        {"upstream": "a"},
        late("gateway_time_to_first_output_seconds", 'upstream="a",', "80", 30),
    ),
    "GatewaySlowPromptSummary": ({}, late("gateway_time_to_prompt_summary_seconds", "", "0.5", 30)),
    "GatewayUpstreamTimeouts": (
        {"code": "upstream_idle_timeout"},
        [grows("gateway_turn_errors_total", 'code="upstream_idle_timeout"', 30)],
    ),
    "GatewayStalledClients": (
        {},
        [*TURNS, grows("gateway_turn_errors_total", 'code="client_stalled"', 10)],
    ),
}


def case(input_series: list[dict[str, str]], alert: str, expected: list[Any]) -> dict[str, Any]:
    """One test in promtool's format."""
    check = {"eval_time": "45m", "alertname": alert, "exp_alerts": expected}
    return {"interval": "1m", "input_series": input_series, "alert_rule_test": [check]}


@needs_promtool
def test_alerts_fire_on_their_fault_and_only_then(tmp_path: Path) -> None:
    assert set(FAULTS) == {rule["alert"] for rule in ALERTS}
    file = tmp_path / "tests.yml"
    file.write_text(
        yaml.safe_dump(
            {"rule_files": [str(RULES)], "tests": [case(HEALTHY, alert, []) for alert in FAULTS]}
        )
    )
    promtool("test", "rules", str(file))
    for alert, (labels, input_series) in FAULTS.items():
        file.write_text(
            yaml.safe_dump({"rule_files": [str(RULES)], "tests": [case(input_series, alert, [])]})
        )
        done = subprocess.run(
            ["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode != 0, f"{alert} does not fire"
        for name, value in labels.items():
            assert f'{name}="{value}"' in done.stdout + done.stderr
