"""What Ray's own autoscaler, as it runs on the head, does on a worker for a new version."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ray.autoscaler._private.autoscaler import StandardAutoscaler
from ray.autoscaler._private.load_metrics import LoadMetrics
from ray.autoscaler._private.local import node_provider
from ray.autoscaler._private.util import prepare_config

from tests.support.deployment_files import CLUSTER, load
from tests.support.machine import furnish, install

INSTALL = "; sh ~/.siren/install.sh"
HEAD = {
    "ray-node-type": "head",
    "ray-node-name": "head",
    "ray-node-status": "up-to-date",
    "ray-user-node-type": "local.cluster.node",
}


class Worker:
    """Stands for ssh and rsync: whatever they are asked works, and is noted."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def check_call(self, command: list[str], *_: Any, **__: Any) -> None:
        self.asked.append(" ".join(command))

    def check_output(self, command: list[str], *_: Any, **__: Any) -> bytes:
        self.check_call(command)
        return b""

    def times(self, words: str) -> int:
        return sum(words in each for each in self.asked)


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home of a head that `ray up --no-restart` has been to."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for what in ("lock", "state"):
        file = str(tmp_path / what)
        monkeypatch.setattr(node_provider, f"get_{what}_path", lambda _, file=file: file)
    config = load(CLUSTER / "local.yaml")
    config["provider"]["worker_ips"] = ["192.0.2.11"]
    config = prepare_config(config) | {"no_restart": True}
    config["file_mounts"] = {name: name for name in config["file_mounts"]}
    furnish(tmp_path)
    for name in ("~/.siren/install.sh", config["auth"]["ssh_private_key"]):
        file_of_head = tmp_path / name.removeprefix("~/")
        file_of_head.parent.mkdir(exist_ok=True)
        file_of_head.touch()
    (tmp_path / "ray_bootstrap_config.yaml").write_text(json.dumps(config))
    install(tmp_path)
    return tmp_path


def test_a_worker_installs_a_new_version_and_its_ray_runs_on(head: Path) -> None:
    worker = Worker()
    autoscaler: Any = StandardAutoscaler(
        str(head / ".siren/cluster.yaml"),
        LoadMetrics(),  # type: ignore[no-untyped-call]
        None,
        process_runner=worker,
        update_interval_s=0,
    )
    autoscaler.provider.create_node({}, HEAD, 1)

    def update_until(done: Callable[[], bool]) -> None:
        while not done() or autoscaler.updaters:
            autoscaler.update()
            time.sleep(0.05)

    update_until(lambda: worker.times("siren node ray start") == 1)
    assert worker.times(INSTALL) == 1
    (head / ".siren/wheel/siren_order-0.1.0-py3-none-any.whl").write_text("another version")
    install(head)
    update_until(lambda: worker.times(INSTALL) == 2)
    assert worker.times("siren node ray start") == 1
