"""`siren status` tells which system is meant, and what each node of a cluster does."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import ray
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from actors.contracts.errors import SirenError, Unavailable
from actors.settings import Settings
from cluster.operations import actors_status, status, status_anywhere
from cluster.operations.status import Status
from cluster.operations.status_anywhere import report
from cluster.running import cluster_address, node_settings
from cluster.running.data_folder import DataFolder

HERE, CLUSTER = "of the data folder", "10.0.0.1:6379"


class _Gateway(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Be on a machine where only a data folder may have a system."""
    for name in ("SIREN_DATA_DIR", "RAY_ADDRESS", "SIREN_DATABASE_URL", "SIREN_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(node_settings, "SETTINGS_FILES", ())
    monkeypatch.setattr(status, "describe", lambda _: Status(Group(Text(HERE)), None, hangs=False))
    joined(monkeypatch, None)


def joined(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    """Make this machine a node of a cluster."""

    def found(given: str | None = None) -> str:
        if given or address:
            return given or str(address)
        raise Unavailable("no_cluster", "no Ray runs on this machine")

    monkeypatch.setattr(cluster_address, "cluster_address", found)
    monkeypatch.setattr(cluster_address, "join_cluster", lambda _: None)


def furnished(monkeypatch: pytest.MonkeyPatch, *nodes: dict[str, Any], actors: int) -> None:
    """Let the cluster have these nodes, and so many actors."""

    def tables() -> Iterator[Table]:
        found = Table("actor", "process", "node", "state")
        for number in range(actors):
            found.add_row(f"order-host:{number}", "1", "10.0.0.2", "up")
        yield found

    monkeypatch.setattr(ray, "nodes", lambda: list(nodes))
    monkeypatch.setattr(actors_status, "actors", tables)


def node(address: str, *, alive: bool = True, head: bool = False) -> dict[str, Any]:
    resources = {"node:__internal_head__": 1.0} if head else {}
    reason = "" if alive else "missed too many heartbeats"
    return {
        "NodeManagerAddress": address,
        "Alive": alive,
        "MetricsExportPort": 52367,
        "Resources": resources,
        "DeathReasonMessage": reason,
    }


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where the gateway of the node 127.0.0.1 answers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Gateway) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("SIREN_PORT", str(server.server_port))
        yield server.server_port
        server.shutdown()


def shown(found: Status) -> str:
    console = Console(width=200)
    with console.capture() as said:
        console.print(found.shown)
    return said.get()


def lines(found: Status) -> dict[str, str]:
    """Return what is said of each node or actor, by its first column."""
    rows = [line.strip("│┃ ") for line in shown(found).splitlines() if line[:1] in "│┃"]
    return {row.partition(" ")[0]: row for row in rows}


def test_what_runs_on_the_data_folder_goes_before_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined(monkeypatch, CLUSTER)
    settings = Settings(data_dir=tmp_path)

    assert HERE in shown(report(settings, None, None, given=True))
    with DataFolder(tmp_path):
        assert HERE in shown(report(settings, None, None, given=False))
    monkeypatch.setenv("SIREN_DATA_DIR", str(tmp_path))
    assert HERE in shown(report(settings, None, None, given=False))


def test_on_a_machine_of_no_cluster_the_data_folder_is_meant(tmp_path: Path) -> None:
    assert HERE in shown(report(Settings(data_dir=tmp_path), None, None, given=False))


def test_a_cluster_that_is_named_and_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "auto")

    with pytest.raises(Unavailable, match="no Ray runs"):
        report(Settings(data_dir=tmp_path), None, None, given=False)


@pytest.mark.parametrize("address", [None, "10.0.0.9:6379"])
def test_of_a_cluster_each_node_is_shown_with_its_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int, address: str | None
) -> None:
    joined(monkeypatch, CLUSTER)
    dead = node("10.0.0.3", alive=False)
    furnished(monkeypatch, node("127.0.0.1", head=True), node("127.0.0.2"), dead, actors=2)

    found = report(Settings(data_dir=tmp_path, port=port), address, None, given=False)

    assert f"Siren Order on the cluster at {address or CLUSTER}" in shown(found)
    rows = lines(found)
    metrics = "http://127.0.0.1:52367/metrics"
    assert rows["127.0.0.1"].split()[2::2] == ["head", "answers", metrics]
    assert "worker" in rows["127.0.0.2"]
    assert "does not answer" in rows["127.0.0.2"]
    assert "dead missed too many heartbeats" in rows["10.0.0.3"]
    assert {"order-host:0", "order-host:1"} <= rows.keys()
    assert found.problem is None


@pytest.mark.usefixtures("port")
def test_a_node_that_is_back_is_not_shown_as_dead_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined(monkeypatch, CLUSTER)
    furnished(monkeypatch, node("127.0.0.1", alive=False), node("127.0.0.1"), actors=1)

    found = shown(report(Settings(data_dir=tmp_path), None, None, given=False))

    assert "answers" in found
    assert "dead" not in found


@pytest.mark.usefixtures("port")
def test_a_cluster_without_the_system_is_told_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined(monkeypatch, CLUSTER)
    furnished(monkeypatch, node("127.0.0.1"), actors=0)

    found = report(Settings(data_dir=tmp_path), None, None, given=False)

    assert found.problem is not None
    assert f"not on the cluster at {CLUSTER}" in found.problem
    assert "`siren deploy`" in found.problem


def test_a_cluster_that_cannot_be_joined_is_said_beside_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined(monkeypatch, CLUSTER)

    def refuse(_address: str) -> None:
        raise SirenError("no_cluster", "cannot join the Ray")

    monkeypatch.setattr(cluster_address, "join_cluster", refuse)

    found = report(Settings(data_dir=tmp_path), None, None, given=False)

    assert "cluster: cannot join the Ray" in shown(found)
    assert found.problem == "not all could be asked: cluster"
    assert not found.hangs


def test_a_cluster_that_is_silent_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined(monkeypatch, CLUSTER)
    over = threading.Event()

    def wait(_address: str) -> None:
        over.wait()
        raise SirenError("no_cluster", "too late")

    monkeypatch.setattr(status_anywhere, "ANSWER_S", 0.1)
    monkeypatch.setattr(cluster_address, "join_cluster", wait)

    found = report(Settings(data_dir=tmp_path), None, None, given=False)

    over.set()
    assert found.problem == "not all could be asked: cluster"
    assert found.hangs
