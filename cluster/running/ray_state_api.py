"""Ray's state API (`ray list actors`), which Ray leaves out together with its dashboard.

There is no setting for one without the other (a TODO of Ray's `services.start_api_server` says so),
and the whole dashboard takes four processes more. So the one module is named where Ray names those
that it loads without a dashboard: on loopback, for whoever shows Ray's token.
"""

import os
from pathlib import Path
from typing import Any

from ray._private import ray_constants, services, worker

WITHOUT_DASHBOARD = "--modules-to-load=UsageStatsHead"
WITH_STATE_API = "--modules-to-load=UsageStatsHead,StateHead"
NO_HTTP = "--disable-frontend"


def serve_state(temporary: Path) -> None:
    """Start Ray's API server again, with the state API; call it once the system is up.

    Before, it would slow the start of the raylet, which waits for its agents 15 s and no longer.
    What it writes on its way goes into the folder `temporary`.
    """
    node: Any = worker._global_node  # noqa: SLF001 - there is no other way to it
    node._kill_process_type(ray_constants.PROCESS_TYPE_DASHBOARD)  # noqa: SLF001 - as above
    start, folder = services.start_ray_process, os.environ.get("TMPDIR")

    def start_with_state(command: list[str], *given: Any, **named: Any) -> Any:
        words = [WITH_STATE_API if word == WITHOUT_DASHBOARD else word for word in command]
        return start([word for word in words if word != NO_HTTP], *given, **named)

    services.start_ray_process = start_with_state
    os.environ["TMPDIR"] = str(temporary)
    try:
        node.start_api_server(include_dashboard=False, raise_on_failure=False)
    finally:
        services.start_ray_process = start
        del os.environ["TMPDIR"]
        if folder is not None:
            os.environ["TMPDIR"] = folder
