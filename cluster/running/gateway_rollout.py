"""The gateway's replicas, replaced in turns by Ray Serve, and how to have the former ones again.

Serve starts a new replica, or one in the place of another, and goes on once it is healthy; those
that serve are left alone where it is not. What it replaces, it forgets: it is asked for before.
"""

import logging
import time
from typing import Any

import ray
from ray import serve
from ray.serve.context import _get_global_client
from ray.serve.generated import serve_pb2
from ray.serve.schema import ApplicationStatus, LoggingConfig

messages: Any = serve_pb2  # made when it is imported: nothing can tell its names
APPLICATION, GATEWAY = "siren", "gateway"
LOOK_S = 0.25
FAILED = (ApplicationStatus.DEPLOY_FAILED, ApplicationStatus.UNHEALTHY)

QUIET = LoggingConfig(log_level="WARNING", enable_access_log=False)


def running_gateway() -> bytes | None:
    """Return all that Serve needs to run the gateway that it runs now; None where it runs none."""
    client: Any = _get_global_client(raise_if_no_controller_running=False)
    if client is None:
        return None
    try:
        asked = client._controller.get_deployment_info.remote(GATEWAY, APPLICATION)  # noqa: SLF001
        route = messages.DeploymentRoute.FromString(ray.get(asked))
    except ray.exceptions.RayTaskError:  # there is no such deployment
        return None
    info = route.deployment_info
    former: bytes = messages.DeploymentArgs(
        deployment_name=GATEWAY,
        deployment_config=info.deployment_config.SerializeToString(),
        replica_config=info.replica_config.SerializeToString(),
        deployer_job_id=ray.get_runtime_context().get_job_id(),
        ingress=True,
        route_prefix="/",
    ).SerializeToString()
    return former


def roll_out(gateway: serve.Application, within_s: float) -> None:
    """Let Serve put this gateway in the place of the one that runs; returns once it has.

    Raises `RuntimeError` with the cause where replicas do not start or are not healthy, and
    `TimeoutError` after some seconds: then the former ones still serve.
    """
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    target = serve.RunTarget(gateway, name=APPLICATION, route_prefix="/", logging_config=QUIET)
    serve.run_many([target], wait_for_applications_running=False)
    wait_until_running(within_s)


def roll_back(former: bytes, within_s: float) -> None:
    """Let Serve run a gateway of `running_gateway` again: its replicas that still live stay.

    Raises as `roll_out` does.
    """
    client: Any = _get_global_client()
    applications = {APPLICATION: messages.ApplicationArgs().SerializeToString()}
    again = client._controller.deploy_applications.remote(  # noqa: SLF001 - nothing public takes it
        {APPLICATION: [former]}, applications
    )
    ray.get(again)
    wait_until_running(within_s)


def wait_until_running(within_s: float) -> None:
    """Wait until all of the gateway's replicas are of the version wanted, and healthy."""
    deadline = time.monotonic() + within_s
    while unfinished() is not None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the gateway's replicas are not replaced after {within_s:.0f} s")
        time.sleep(LOOK_S)


def unfinished() -> str | None:
    """Return what the gateway is doing; None while it simply serves.

    Raises `RuntimeError` with Serve's words where it has failed.
    """
    status = serve.status().applications.get(APPLICATION)
    if status is None:
        return "missing"
    if status.status in FAILED:
        words = [each.message for each in status.deployments.values() if each.message]
        raise RuntimeError(" ".join(words) or status.message or status.status)
    return None if status.status == ApplicationStatus.RUNNING else str(status.status)
