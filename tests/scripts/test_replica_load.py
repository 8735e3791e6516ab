"""What the gateway's replicas measure of themselves reaches Serve's controller."""

from typing import Any

import ray
from ray.serve._private.common import DeploymentID
from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE

from cluster.running.gateway_rollout import APPLICATION
from serve_app.gateway import GATEWAY
from serve_app.replica_load import CPU, IN_FLIGHT
from tests.support.system import GATEWAY as REPLICA
from tests.support.system import System, eventually


def test_each_replica_tells_serve_its_requests_in_flight_and_its_cpu(system: System) -> None:
    with system.ray():
        controller: Any = ray.get_actor(SERVE_CONTROLLER_NAME, namespace=SERVE_NAMESPACE)
        known = controller._get_metrics_for_deployment_for_testing

        def told() -> bool:
            metrics: dict[str, list[Any]] = ray.get(
                known.remote(DeploymentID(GATEWAY, APPLICATION))
            )
            replicas = len(system.processes(REPLICA))
            return {len(metrics.get(name, ())) for name in (IN_FLIGHT, CPU)} == {replicas}

        eventually(told, "both are known of each replica")
