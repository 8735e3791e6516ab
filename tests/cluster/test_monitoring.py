"""Prometheus itself reads what it is given, hears of every node, and finds all is well."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cluster.running.environment import free_port
from tests.cluster.tools import PLACES
from tests.support.cluster import HEAD, Cluster
from tests.support.deployment_files import CLUSTER, load
from tests.support.hosts import address
from tests.support.metric_names import exported
from tests.support.system import eventually

FOLDER = CLUSTER / "monitoring"
METRICS_PORT = 52367
TESTS = Path(__file__).with_name("alerts.yaml")
LABELLED_BY_WHAT_HAPPENED = {"siren_step_retries_total"}
"""Nothing fails here, so that nothing is counted."""
pytestmark = pytest.mark.timeout(600)


def promtool(*words: object) -> str:
    ended = subprocess.run(
        ["promtool", *map(str, words)],
        env={"PATH": PLACES},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@contextmanager
def prometheus(folder: Path, targets: list[str]) -> Iterator[httpx.Client]:
    """Run Prometheus on the example's configuration, with targets of this test's."""
    configuration = load(FOLDER / "prometheus.yaml")
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(FOLDER / "alerts.yaml")]
    (job,) = configuration["scrape_configs"]
    job["static_configs"] = [{"targets": targets}]
    file = folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(configuration))
    url = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={url}",
    ]
    with subprocess.Popen(command, env={"PATH": PLACES}, stderr=subprocess.DEVNULL) as process:
        try:
            with httpx.Client(base_url=f"http://{url}") as client:
                yield client
        finally:
            process.terminate()


def asked(client: httpx.Client, query: str) -> list[Any]:
    answer = client.get("/api/v1/query", params={"query": query})
    answer.raise_for_status()  # it refuses while it starts
    found: list[Any] = answer.json()["data"]["result"]
    return found


def test_the_files_are_what_prometheus_takes(cluster: Cluster) -> None:
    assert cluster  # of the machine's tools, this needs the same
    promtool("check", "config", FOLDER / "prometheus.yaml")
    promtool("check", "rules", FOLDER / "alerts.yaml")
    promtool("test", "rules", TESTS)


def test_prometheus_hears_of_every_node_by_the_names_of_the_standard(
    cluster: Cluster, tmp_path: Path
) -> None:
    with cluster.load() as load_:
        cluster.wait_until_settled(load_, time.monotonic())
    targets = [f"{address(host)}:{METRICS_PORT}" for host in cluster.members]
    wanted = exported() - LABELLED_BY_WHAT_HAPPENED
    with prometheus(tmp_path, targets) as client:
        eventually(lambda: len(asked(client, "up == 1")) == len(targets), "all nodes are heard of")

        def known() -> bool:
            return wanted <= {each["metric"]["__name__"] for each in asked(client, '{job=~".+"}')}

        eventually(known, "each metric is known by its name")
        processes = {
            each["metric"]["process"]
            for each in asked(client, "count by (process) (siren_build_info)")
        }
        assert {"gateway", "payment", "store", "projection", "order-host:0"} <= processes
        rate = 'sum(http_server_request_duration_seconds_count{http_route="/orders"})'
        (orders,) = asked(client, rate)
        assert float(orders["value"][1]) > 0
        firing = [
            each["metric"]["alertname"]
            for each in asked(client, 'ALERTS{severity="page", alertstate="firing"}')
        ]
        assert firing == []
    status = cluster.run(HEAD, "COLUMNS=200 siren status")
    assert all(f"http://{target}/metrics" in status for target in targets)
