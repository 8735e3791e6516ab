"""The head's list of machines, as Ray's own provider reads it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ray.autoscaler._private.local import node_provider
from ray.autoscaler._private.local.node_provider import LocalNodeProvider

from cluster.running.machines import followed

HEAD, STAYS, LEFT, NEW = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"
WORKERS = {"ray-node-type": "worker"}


def provider(*workers: str) -> dict[str, Any]:
    return {"type": "local", "head_ip": HEAD, "worker_ips": list(workers)}


@pytest.fixture
def rays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ray's provider, which has begun with two workers and runs on."""
    monkeypatch.setattr(node_provider, "get_lock_path", lambda _: str(tmp_path / "lock"))
    monkeypatch.setattr(node_provider, "get_state_path", lambda _: str(tmp_path / "machines.json"))
    untyped: Any = LocalNodeProvider
    began = untyped(provider(STAYS, LEFT), "siren-order")
    began.create_node({}, WORKERS, 2)
    return began


def test_ray_starts_a_machine_that_joined_and_wants_none_that_left(
    rays: Any, tmp_path: Path
) -> None:
    file = tmp_path / "machines.json"
    known = json.loads(file.read_text())

    file.write_text(json.dumps(followed(known, provider(STAYS, NEW))))

    assert rays.non_terminated_nodes(WORKERS) == [STAYS]
    rays.create_node({}, WORKERS, 1)
    assert set(rays.non_terminated_nodes(WORKERS)) == {STAYS, NEW}


def test_what_ray_has_noted_of_the_others_stays(rays: Any, tmp_path: Path) -> None:
    rays.set_node_tags(STAYS, {"ray-node-status": "up-to-date"})
    known = json.loads((tmp_path / "machines.json").read_text())

    assert followed(known, provider(STAYS, LEFT)) == known


def test_a_cloud_s_machines_are_no_list(tmp_path: Path) -> None:
    configuration = tmp_path / "configuration"
    configuration.write_text(json.dumps({"provider": {"type": "aws"}}))

    module = "cluster.running.machines"
    subprocess.run([sys.executable, "-m", module, configuration, tmp_path / "none"], check=True)
