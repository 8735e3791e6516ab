"""The gateway as a Ray Serve deployment."""

import logging
import threading
import warnings
from typing import Any

from fastapi import FastAPI
from pydantic import SecretBytes, SecretStr
from ray import serve
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy
from ray.serve.schema import LoggingConfig

from actors.command_waits import ANSWER_MARGIN_S
from actors.contracts.limits import MAX_WAIT_S
from actors.installation import Installation
from actors.peers import Peers
from actors.runtime.health_watch import look_after, watches_over
from actors.runtime.moving import keep_in_place
from actors.runtime.observing import observe_process
from actors.runtime.ray_actors import spare_garbage_collection, whereabouts
from actors.settings import MOST_IN_FLIGHT, Settings
from serve_app import controller_watch
from serve_app.app import build_app
from serve_app.backend import Backend
from serve_app.joined_writes import join_writes
from serve_app.middleware import request_body
from serve_app.middleware.concurrency_limits import capacity
from serve_app.middleware.own_system import OwnSystem
from serve_app.replica_count import CPU_SHARE, MOST_NODES
from serve_app.replica_count import one_a_node as count_of_nodes
from serve_app.replica_leaving import when_it_leaves
from serve_app.replica_load import CPU, IN_FLIGHT, ReplicaLoad
from serve_app.replica_port import listen_on_the_node_s_address_only

logger = logging.getLogger("siren")

GATEWAY = "gateway"
DRAIN_S = 10.0 + MAX_WAIT_S + ANSWER_MARGIN_S
"""How long a replica that leaves may finish what it began: so long HAProxy may still send it
requests (see `cluster/running/environment.py`), and so long the last one may wait. It is gone once
nothing is under way; its streams end by themselves, and go on at another one."""
MEASURE_S = 1.0
"""How often a replica measures itself, and tells."""
AVERAGED_S = 5.0
"""Over so long."""
HEALTH_PERIOD_S = 1.0
HEALTH_TIMEOUT_S = 2.5


class Gateway:
    """One replica: a client of the installation on the replica's event loop, and the routes."""

    def __init__(
        self,
        installation: Installation,
        peers: Peers,
        token_secret: SecretBytes,
        system_secret: SecretStr,
        *,
        one_a_node: bool = False,
    ) -> None:
        listen_on_the_node_s_address_only()
        join_writes()
        spare_garbage_collection()
        settings = installation.settings
        observe_process("gateway", settings)
        self._token_secret = token_secret.get_secret_value()
        self._system_secret = system_secret.get_secret_value()
        self._siren = Backend(installation, peers)
        when_it_leaves(self._siren.watcher.release)
        if one_a_node:
            mine = (peers.creations(installation), installation)
            threading.Thread(target=keep_in_place, args=mine, daemon=True).start()
            # On one machine `siren up` does this.
            works = [*watches_over(mine[0]), controller_watch.look_for_ever]
            threading.Thread(target=look_after, args=(works,), daemon=True).start()

    async def check_health(self) -> None:
        """Tell Serve that this replica works; raises `RuntimeError` where it should be replaced."""
        trouble = self._siren.trouble()
        if trouble is not None:
            logger.error("this replica hangs: %s", trouble)
            raise RuntimeError(trouble)

    def __serve_build_asgi_app__(self) -> FastAPI:
        live = self._siren.live
        app = build_app(self._siren, live.now.max_in_flight, self._token_secret)
        places = app.state.places
        live.tell(lambda now: places.resize(now.max_in_flight))
        self._load = ReplicaLoad(lambda: places.in_flight)
        app.add_middleware(OwnSystem, secret=self._system_secret)
        return app

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Return what Serve hands on to the policy; it asks once a second."""
        return self._load.measure()

    async def describe(self) -> dict[str, Any]:
        """Return the replica's whereabouts, as an actor's."""
        return whereabouts(self._siren.installation, self._siren.live)


def deployment(
    installation: Installation,
    peers: Peers,
    token_secret: bytes,
    system_secret: str,
    *,
    now: Settings | None = None,
    one_a_node: bool = False,
) -> serve.Application:
    """Return the gateway of an installation, ready for `serve.run`.

    `now` are its settings with what is set live, where anything is: by them Serve goes.

    `token_secret` and `system_secret`, which HAProxy adds to each request, are for the gateway
    alone: no other actor gets them. `one_a_node` is for clusters: a replica on every node, and so
    HAProxy, which Serve runs where a replica is.
    """
    settings = now or installation.settings
    gateway = serve.deployment(
        name=GATEWAY,
        ray_actor_options={
            "num_cpus": CPU_SHARE if one_a_node else 0,
            "runtime_env": installation.release.runtime_env() or {},
        },
        # The application refuses before Serve would, whose own answer is no problem document.
        max_ongoing_requests=capacity(MOST_IN_FLIGHT) + request_body.AT_ONCE,
        **(_one_a_node() if one_a_node else _on_one_machine(settings)),
        # A replica that is dead is replaced at once, one that does not answer three times after 9
        # seconds. The event loop that answers is the one that serves HTTP.
        health_check_period_s=HEALTH_PERIOD_S,
        health_check_timeout_s=HEALTH_TIMEOUT_S,
        graceful_shutdown_timeout_s=DRAIN_S,
        graceful_shutdown_wait_loop_s=0.5,
        # Addresses hold customers' ids: no access log. Below WARNING Serve would still make a
        # record of each request, only to drop it.
        logging_config=LoggingConfig(log_level="WARNING", enable_access_log=False),
    )(serve.ingress()(Gateway))
    secrets = SecretBytes(token_secret), SecretStr(system_secret)
    application: serve.Application = gateway.bind(
        installation, peers, *secrets, one_a_node=one_a_node
    )
    return application


def autoscaling(settings: Settings) -> AutoscalingConfig:
    """Return what the number of replicas follows on one machine, by live settings."""
    measure, target = {
        "requests": (IN_FLIGHT, settings.gateway_target_requests),
        "cpu": (CPU, settings.gateway_target_cpu),
    }[settings.gateway_autoscale]
    policy = AutoscalingPolicy(  # type: ignore[no-untyped-call]
        policy_function="serve_app.replica_count:FollowingLoad",
        policy_kwargs={
            "measure": measure,
            "target": target,
            "shrink_after_s": settings.gateway_shrink_after_s,
        },
    )
    with warnings.catch_warnings():
        # The variable that is to take the place of the interval is read nowhere yet.
        warnings.simplefilter("ignore", DeprecationWarning)
        return AutoscalingConfig(
            min_replicas=settings.gateway_min_replicas,
            max_replicas=max(settings.gateway_min_replicas, settings.gateway_max_replicas),
            metrics_interval_s=MEASURE_S,
            look_back_period_s=AVERAGED_S,
            upscale_delay_s=0,  # the policy has delays of its own
            downscale_delay_s=0,
            policy=policy,
        )


def _on_one_machine(settings: Settings) -> dict[str, Any]:
    return {
        "autoscaling_config": autoscaling(settings),
        "max_surge_percent": 100,  # a new replica answers before the old one goes
    }


def _one_a_node() -> dict[str, Any]:
    """Let replicas follow the nodes: HAProxy of each asks its own, and others where that is gone.

    There is no place for a new one beside the old: they are replaced in turns.
    """
    function = "serve_app.replica_count:one_a_node"
    policy = AutoscalingPolicy(policy_function=function)  # type: ignore[no-untyped-call]
    return {
        "autoscaling_config": AutoscalingConfig(
            min_replicas=1,
            max_replicas=MOST_NODES,
            initial_replicas=count_of_nodes(None)[0],
            upscale_delay_s=1.0,
            downscale_delay_s=5.0,
            policy=policy,
        ),
        "max_replicas_per_node": 1,
        "max_surge_percent": 0,
    }
