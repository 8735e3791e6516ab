"""`ray up` on an AWS that is not there, as far as the head's launch: what is asked of it."""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from moto import mock_aws
from ray.autoscaler._private import commands
from ray.autoscaler._private.aws import config as aws_config

from tests.support.deployment_files import CLUSTER, load

REGION = load(CLUSTER / "aws.yaml")["provider"]["region"]


class Launch(NamedTuple):
    """What AWS was asked for, and what Ray would do on the machine."""

    instance: dict[str, Any]
    user_data: str
    group: dict[str, Any]
    updater: dict[str, Any]


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launch]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.chdir(_checkout(tmp_path_factory.mktemp("checkout")))
        patch.setenv("HOME", str(home))
        patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        # Of roles, for which a real AWS needs time.
        patch.setattr(f"{aws_config.__name__}.time.sleep", lambda _: None)
        yield _launched(home, patch)


def _checkout(folder: Path) -> Path:
    """Return a folder as `make wheel` leaves this one."""
    (folder / "cluster").symlink_to(CLUSTER)
    (folder / "dist").mkdir()
    (folder / "dist" / "siren_order-0-py3-none-any.whl").touch()
    return folder


def _launched(home: Path, patch: pytest.MonkeyPatch) -> Launch:
    for secret in (home / ".siren" / "siren.env", home / ".ray" / "auth_token"):
        secret.parent.mkdir()
        secret.write_text("secret")
    asked: dict[str, Any] = {}

    class Updater:
        """Stands for what would now wait for ssh."""

        exitcode = 0

        def __init__(self, **what: Any) -> None:
            asked.update(what)
            bootstrap = Path(what["file_mounts"]["~/ray_bootstrap_config.yaml"])
            asked["bootstrap"] = bootstrap.read_text()

        def start(self) -> None: ...

        def join(self) -> None: ...

    patch.setattr(commands, "NodeUpdaterThread", Updater)
    commands.create_or_update_cluster(
        str(CLUSTER / "aws.yaml"),
        override_min_workers=None,
        override_max_workers=None,
        no_restart=False,
        restart_only=False,
        yes=True,
        no_config_cache=True,
    )
    ec2 = boto3.client("ec2", REGION)
    [reservation] = ec2.describe_instances()["Reservations"]
    [instance] = reservation["Instances"]
    user_data = ec2.describe_instance_attribute(
        InstanceId=instance["InstanceId"], Attribute="userData"
    )["UserData"]["Value"]
    [group] = ec2.describe_security_groups(GroupNames=["siren-order"])["SecurityGroups"]
    return Launch(instance, base64.b64decode(user_data).decode(), group, asked)


def test_one_head_is_launched_on_demand(launch: Launch) -> None:
    assert launch.instance["InstanceType"] == "m7i.large"
    assert "InstanceLifecycle" not in launch.instance  # as a spot machine has it


def test_the_head_is_tagged_as_the_project_s_and_the_cluster_s(launch: Launch) -> None:
    tags = {tag["Key"]: tag["Value"] for tag in launch.instance["Tags"]}
    assert tags["project"] == "siren-order"
    assert tags["ray-cluster-name"] == "siren-order"
    assert tags["ray-node-type"] == "head"


def test_the_machine_installs_what_the_set_up_needs(launch: Launch) -> None:
    assert launch.user_data.startswith("#cloud-config\n")
    assert "python3-venv" in launch.user_data
    [wait] = launch.updater["initialization_commands"]
    assert wait.startswith("cloud-init status --wait ")


@pytest.mark.parametrize(("code", "goes_on"), [(0, True), (1, False), (2, True)])
def test_what_cloud_init_only_warns_of_stops_nothing(
    launch: Launch, tmp_path: Path, code: int, *, goes_on: bool
) -> None:
    (tmp_path / "cloud-init").write_text(f"#!/bin/sh\nexit {code}\n")
    (tmp_path / "cloud-init").chmod(0o755)
    [wait] = launch.updater["initialization_commands"]
    waited = subprocess.run(["/bin/sh", "-c", wait], env={"PATH": str(tmp_path)}, check=False)
    assert (waited.returncode == 0) is goes_on


def test_nobody_gets_the_machine_s_credentials_by_a_request(launch: Launch) -> None:
    options = launch.instance["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1)


def test_of_the_system_the_gateway_alone_is_open_to_the_world(launch: Launch) -> None:
    rules = launch.group["IpPermissions"]
    ssh, gateway = sorted(
        (rule for rule in rules if rule["IpRanges"] or rule["Ipv6Ranges"]),
        key=lambda rule: rule["FromPort"],
    )
    assert (gateway["IpProtocol"], gateway["FromPort"], gateway["ToPort"]) == ("tcp", 8088, 8088)
    assert (ssh["FromPort"], ssh["ToPort"]) == (22, 22)  # Ray's own; README.md narrows it
    [among_themselves] = [rule for rule in rules if rule["UserIdGroupPairs"]]
    [pair] = among_themselves["UserIdGroupPairs"]
    assert pair["GroupId"] == launch.group["GroupId"]


def test_secrets_travel_by_ssh_and_not_in_what_aws_is_told(launch: Launch) -> None:
    assert launch.updater["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert "secret" not in launch.user_data


def test_ray_then_starts_with_the_environment_of_a_node(launch: Launch) -> None:
    assert "siren node ray start --head" in launch.updater["ray_start_commands"][-1]


def test_the_head_is_told_the_image_in_the_words_that_install_looks_for(launch: Launch) -> None:
    [named] = re.findall(r"named='(.*)'", (CLUSTER / "install.sh").read_text())
    for node in json.loads(launch.updater["bootstrap"])["available_node_types"].values():
        assert named in json.dumps(node)
    assert launch.updater["bootstrap"].count(named) == 2
