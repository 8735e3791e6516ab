"""How many replicas the gateway has, changed while it runs: Serve's part of the live settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.serve._private.config import DeploymentConfig
from ray.serve.context import _get_global_client
from ray.serve.generated import serve_pb2

from actors.settings import Settings
from cluster.client import find_installation
from cluster.running.deploy_lock import only_deploy
from cluster.running.gateway_rollout import APPLICATION
from serve_app.gateway import GATEWAY, autoscaling

protos: Any = serve_pb2  # generated: nobody knows its classes' types


@contextmanager
def changing_gateway() -> Iterator[Settings]:
    """Keep deploys, and other changes of the gateway, out; yield what the system runs with.

    Serve would else be given the version that a deploy has just replaced, or a setting that another
    command has just changed. Raises `SirenError` where one of them is under way.
    """
    with only_deploy():
        yield find_installation(ray.get_runtime_context().gcs_address).settings


def reconfigure_gateway(now: Settings) -> None:
    """Let Serve count the gateway's replicas by these settings; it restarts none for that.

    On a cluster there is one a node, whatever is set. Blocks on Ray; raises `RayError`.
    """
    client: Any = _get_global_client(raise_if_no_controller_running=False)
    if client is None:
        return
    controller = client._controller  # noqa: SLF001 - nothing public changes what runs
    found = ray.get(controller.get_deployment_info.remote(GATEWAY, APPLICATION))
    info = protos.DeploymentRoute.FromString(found).deployment_info
    if info.replica_config.max_replicas_per_node:
        return
    config = DeploymentConfig.from_proto(info.deployment_config)
    config.autoscaling_config = autoscaling(now)
    gateway = protos.DeploymentArgs(
        deployment_name=GATEWAY,
        deployment_config=config.to_proto_bytes(),
        replica_config=info.replica_config.SerializeToString(),
        deployer_job_id=ray.get_runtime_context().get_job_id(),
        ingress=True,
        route_prefix="/",
    )
    again = {APPLICATION: [gateway.SerializeToString()]}
    arguments = {APPLICATION: protos.ApplicationArgs().SerializeToString()}
    ray.get(controller.deploy_applications.remote(again, arguments))
