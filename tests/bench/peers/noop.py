"""The ceiling: a route that does nothing, in the same Ray Serve set-up as the gateway.

What is set here is what `cluster.running.bootstrap` and `serve_app.gateway` set, for one replica.
"""

import argparse
import logging
import signal
import threading
from pathlib import Path

from cluster.running import environment, haproxy, processes
from cluster.running.run_folder import RunFolder

environment.prepare()  # before anything imports Ray

ROUTE = "/noop"


def main() -> None:
    """Serve the route on a port of this machine until SIGINT."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, help="not used: nothing is stored")
    port = parser.parse_args().port
    with RunFolder() as run, haproxy.claim(run.path, "127.0.0.1"):
        import ray  # noqa: PLC0415 - it reads what `claim` has set

        try:
            _start(port)
            stop = threading.Event()
            for number in (signal.SIGINT, signal.SIGTERM):  # only now: Ray installs its own
                signal.signal(number, lambda *_: stop.set())
            stop.wait()
        finally:
            ray.shutdown(wait_for_processes=True)
            processes.end_on(run.path)


def _start(port: int) -> None:
    import ray  # noqa: PLC0415
    from fastapi import FastAPI  # noqa: PLC0415
    from ray import serve  # noqa: PLC0415
    from ray.serve.schema import LoggingConfig  # noqa: PLC0415

    from actors.runtime.ray_actors import spare_garbage_collection  # noqa: PLC0415
    from actors.settings import Settings  # noqa: PLC0415
    from serve_app.gateway import DRAIN_S  # noqa: PLC0415
    from serve_app.middleware.concurrency_limits import capacity  # noqa: PLC0415

    class Noop:
        def __init__(self) -> None:
            spare_garbage_collection()

        def __serve_build_asgi_app__(self) -> FastAPI:
            app = FastAPI()

            @app.get(ROUTE)
            async def noop() -> dict[str, bool]:
                return {"ok": True}

            return app

    ray.init(
        address="local",
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.WARNING,
    )
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    quiet = LoggingConfig(log_level="WARNING", enable_access_log=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config=quiet)
    deployment = serve.deployment(
        name="noop",
        num_replicas=1,
        ray_actor_options={"num_cpus": 0},
        max_ongoing_requests=capacity(Settings().max_in_flight),
        graceful_shutdown_timeout_s=DRAIN_S,
        graceful_shutdown_wait_loop_s=0.5,
        max_surge_percent=100,
        logging_config=quiet,
    )(serve.ingress()(Noop))
    serve.run(deployment.bind(), name="noop", route_prefix="/", logging_config=quiet)


if __name__ == "__main__":
    main()
