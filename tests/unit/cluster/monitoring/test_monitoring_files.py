"""What Prometheus and Grafana are given names what the system exports, and all of it."""

import json
import re
from typing import Any

import pytest

from tests.support.deployment_files import CLUSTER, load
from tests.support.metric_names import SUFFIXES, exported, families, named

FOLDER = CLUSTER / "monitoring"
DASHBOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text())
GROUPS = load(FOLDER / "alerts.yaml")["groups"]
ALERTS: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
README = (CLUSTER / "README.md").read_text(encoding="utf-8")


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> dict[str, str]:
    """Return what the dashboard and the alerts ask Prometheus, by who asks."""
    shown = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in panels()
        for target in panel["targets"]
    }
    return shown | {alert["alert"]: alert["expr"] for alert in ALERTS}


def labels_of(query: str) -> set[str]:
    """Return the labels that a query selects or groups by."""
    selected = re.findall(r"(\w+)(?:=~|!~|!=|=)\"", query)
    grouped = re.findall(r"by \(([^)]*)\)", query)
    return {*selected, *(label.strip() for group in grouped for label in group.split(","))}


@pytest.mark.parametrize("query", queries().values(), ids=queries().keys())
def test_what_is_asked_for_is_exported(query: str) -> None:
    assert named(query)
    assert named(query) <= exported()


@pytest.mark.parametrize("query", queries().values(), ids=queries().keys())
def test_what_is_asked_for_has_the_labels_by_which_it_is_asked(query: str) -> None:
    known = {"le", "process"}
    for family in families():
        if named(query) & {f"{family.name}{end}" for end in SUFFIXES[family.type]}:
            known |= set(family.samples[0].labels) if family.samples else labels_of(query)
    assert labels_of(query) <= known


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_all_that_is_exported_is_on_the_dashboard_and_explained(family: Any) -> None:
    names = {f"{family.name}{end}" for end in SUFFIXES[family.type]}
    assert names & named(json.dumps(DASHBOARD))
    assert f"`{family.name}{'_total' if family.type == 'counter' else ''}`" in README


def test_nothing_on_the_dashboard_covers_anything_else() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])
        }
        assert not taken & cells
        taken |= cells
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_each_alert_leads_to_what_to_do(alert: dict[str, Any]) -> None:
    file, _, section = alert["annotations"]["runbook"].partition("#")
    assert file == "cluster/README.md"
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    assert section in {heading.lower().replace(" ", "-").replace("`", "") for heading in headings}


def test_the_names_that_ray_gives_become_those_of_the_alerts() -> None:
    (job,) = load(FOLDER / "prometheus.yaml")["scrape_configs"]
    keep, rename, *_ = job["metric_relabel_configs"]
    assert keep["action"] == "keep"
    for name in exported():
        assert re.fullmatch(keep["regex"], f"ray_{name}")
        renamed = re.fullmatch(rename["regex"], f"ray_{name}")
        assert renamed is not None
        assert renamed[1] == name
    assert not re.fullmatch(keep["regex"], "ray_node_cpu_utilization")
