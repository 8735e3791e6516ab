"""`ray up`: what the three YAMLs say, as Ray itself reads them."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import start_http_server
from ray.autoscaler._private.util import prepare_config, validate_config

from cluster.running.environment import CLUSTER as ENVIRONMENT
from tests.support.deployment_files import CLUSTER, RAY_UP, ROOT, load

ON_A_NODE = ("head", "worker")


def _file(name: str) -> Any:
    return load(CLUSTER / f"{name}.yaml")


def _commands(config: Any, node: str) -> list[str]:
    commands: list[str] = config[f"{node}_start_ray_commands"]
    return commands


def _start(config: Any, node: str) -> list[str]:
    return shlex.split(_commands(config, node)[-1])


def _values(config: Any) -> Iterator[str]:
    if isinstance(config, dict):
        for key, value in config.items():
            yield from (str(key), *_values(value))
    elif isinstance(config, list):
        for value in config:
            yield from _values(value)
    else:
        yield str(config)


@pytest.mark.parametrize("name", RAY_UP)
def test_ray_takes_the_file(name: str) -> None:
    validate_config(prepare_config(_file(name)))


@pytest.mark.parametrize("name", RAY_UP)
def test_nothing_of_ray_s_own_defaults_installs_another_version(name: str) -> None:
    config = prepare_config(_file(name))
    for step in ("setup_commands", "head_setup_commands", "worker_setup_commands"):
        assert set(config[step]) <= {"sh ~/.siren/install.sh"}


@pytest.mark.parametrize("node", ON_A_NODE)
@pytest.mark.parametrize("name", RAY_UP)
def test_ray_starts_where_the_environment_of_a_node_is_set(name: str, node: str) -> None:
    words = _start(_file(name), node)
    assert words[words.index("siren") :][:4] == ["siren", "node", "ray", "start"]


@pytest.mark.parametrize("name", RAY_UP)
def test_the_dashboard_listens_on_loopback(name: str) -> None:
    config = _file(name)
    assert "--dashboard-host=127.0.0.1" in _start(config, "head")
    assert not any("dashboard-host" in word for word in _start(config, "worker"))


@pytest.mark.parametrize("name", RAY_UP)
def test_every_node_gets_the_token_and_the_settings_from_files(name: str) -> None:
    mounts = _file(name)["file_mounts"]
    assert mounts["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert mounts["~/.siren/siren.env"] == "~/.siren/siren.env"


@pytest.mark.parametrize("name", RAY_UP)
def test_no_secret_is_in_the_file(name: str) -> None:
    for value in _values(_file(name)):
        assert not re.search(r"SIREN_|RAY_AUTH_TOKEN|postgres|password", value, re.IGNORECASE)


@pytest.mark.parametrize("name", RAY_UP)
def test_what_is_mounted_is_in_the_project_or_the_operator_s_own(name: str) -> None:
    for local in _file(name)["file_mounts"].values():
        # `make wheel` makes dist.
        assert local.startswith("~/") or local == "dist" or (ROOT / local).is_file(), local


@pytest.mark.parametrize("name", RAY_UP)
def test_the_head_knows_its_cluster_again_after_a_restart(name: str) -> None:
    words = _start(_file(name), "head")
    assert "RAY_gcs_storage=rocksdb" in words
    assert "RAY_gcs_storage_path=$HOME/.siren/node/gcs" in words


@pytest.mark.parametrize("node", ON_A_NODE)
@pytest.mark.parametrize("name", RAY_UP)
def test_no_file_says_otherwise_than_the_one_list_of_the_environment(name: str, node: str) -> None:
    for word in _start(_file(name), node):
        variable, is_set, value = word.partition("=")
        if is_set and variable in ENVIRONMENT:
            assert value == ENVIRONMENT[variable]


@pytest.mark.parametrize("name", RAY_UP)
def test_the_autoscaler_that_starts_all_and_installs_again_runs(name: str) -> None:
    assert "RAY_enable_autoscaler_v2=0" in _start(_file(name), "head")


@pytest.mark.parametrize("name", RAY_UP)
def test_ray_s_metrics_that_would_be_open_to_all_have_no_port(name: str) -> None:
    words = [word for word in _start(_file(name), "head") if "_METRIC_PORT=" in word]
    # As the dashboard and the autoscaler read it, which go on without.
    script = (
        "from ray.autoscaler._private.constants import AUTOSCALER_METRIC_PORT;"
        "from ray.dashboard.consts import DASHBOARD_METRIC_PORT;"
        "print(AUTOSCALER_METRIC_PORT, DASHBOARD_METRIC_PORT)"
    )
    said = subprocess.check_output(["env", *words, sys.executable, "-c", script], text=True)
    for port in said.split():
        with pytest.raises(OverflowError):
            start_http_server(int(port))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_machine_that_is_named_is_started(workers: int) -> None:
    config = _file("local")
    config["provider"]["worker_ips"] = [f"192.0.2.{each}" for each in range(1, workers + 1)]
    [machines] = prepare_config(config)["available_node_types"].values()
    assert (machines["min_workers"], machines["max_workers"]) == (workers, workers)


@pytest.mark.parametrize("name", RAY_UP)
def test_every_port_of_ray_is_a_known_one(name: str) -> None:
    config = _file(name)
    flags = {
        node: {
            word.partition("=")[0]: word.partition("=")[2]
            for word in _start(config, node)
            if re.fullmatch(r"--[a-z-]*port=\d+", word)
        }
        for node in ON_A_NODE
    }
    assert flags["head"] == flags["worker"] | {"--port": "6379", "--dashboard-port": "8265"}
    assert set(flags["worker"]) == {
        "--node-manager-port",
        "--object-manager-port",
        "--runtime-env-agent-port",
        "--dashboard-agent-listen-port",
        "--dashboard-agent-grpc-port",
        "--metrics-export-port",
        "--min-worker-port",
        "--max-worker-port",
    }


def test_all_machines_start_alike_wherever_they_are() -> None:
    aws, gcp, local = (_file(name) for name in RAY_UP)
    assert aws["worker_start_ray_commands"] == local["worker_start_ray_commands"]
    assert aws["worker_start_ray_commands"] == gcp["worker_start_ray_commands"]
    assert aws["head_start_ray_commands"] == gcp["head_start_ray_commands"]
    of_local = "AUTOSCALER_HEARTBEAT_TIMEOUT_S=10"
    assert _start(aws, "head") == [word for word in _start(local, "head") if word != of_local]


@pytest.mark.parametrize("name", ["aws", "gcp"])
def test_no_machine_can_be_taken_back(name: str) -> None:
    for value in _values(_file(name)["available_node_types"]):
        assert not re.search("spot|preempt", value, re.IGNORECASE)


def test_google_s_firewall_can_tell_the_machines_of_the_gateway() -> None:
    for node in _file("gcp")["available_node_types"].values():
        assert node["node_config"]["tags"] == {"items": ["siren-order"]}
