"""Looks after Ray Serve's controller, which itself looks after replicas and HAProxy's managers.

Customers notice nothing of one that hangs, until something that it would replace is dead.
"""

import asyncio
import logging
from typing import Any

import ray
from ray.exceptions import RayError
from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE

from actors.runtime.hanging import Moving
from actors.runtime.replacing import Watch

EVERY_S = 3.0
LOOK_S = 1.0
STILL_S = 30.0
"""How long one turn of its control loop may take."""

logger = logging.getLogger("siren")


async def look_for_ever() -> None:
    """Have the controller replaced where it says nothing, or its control loop stands still."""
    watch, loops = Watch(LOOK_S), Moving()
    while True:
        try:
            controller: Any = await asyncio.to_thread(
                ray.get_actor, SERVE_CONTROLLER_NAME, SERVE_NAMESPACE
            )
            told = await watch.during(controller.get_health_metrics.remote(), controller)
            seconds = loops.still_s(told["num_control_loops"])
            if seconds > STILL_S:
                pid = await watch.during(controller.get_pid.remote(), controller)
                why = f"its control loop has stood still for {seconds:.0f} s"
                await watch.replace(controller, pid, why)
        except (RayError, ValueError, KeyError) as error:  # it is not there, or being started
            logger.debug("Serve's controller does not answer: %s", error)
        except Exception:
            logger.exception("looking after Serve's controller failed")
        await asyncio.sleep(EVERY_S)
