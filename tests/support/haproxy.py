"""HAProxy's configuration: as the installed Serve writes it, and as the system changes it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
from ray.serve._private import haproxy as serve_haproxy
from ray.serve.config import HTTPOptions

from cluster.running.environment import free_port
from cluster.running.haproxy import _real_binary
from cluster.running.haproxy_answers import write_answers
from cluster.running.haproxy_config import Edge, edited

PATIENCE = 30.0
FILES = 20_000
SECRET = "0123abcd"


def written(
    folder: Path,
    backends: dict[str, serve_haproxy.BackendConfig],
    port: int = 8088,
    stats_port: int = 8404,
    metrics_port: int = 9101,
) -> str:
    """Return what Serve writes for these backends. The last two ports are for statistics."""
    file = folder / "haproxy.cfg"
    api = serve_haproxy.HAProxyApi(
        serve_haproxy.HAProxyConfig(
            http_options=HTTPOptions(host="127.0.0.1", port=port),
            socket_path=str(folder / "admin.sock"),
            server_state_base=str(folder),
            server_state_file=str(folder / "server-state"),
            stats_port=stats_port,
            metrics_port=metrics_port,
        ),
        config_file_path=str(file),
    )
    api.set_backend_configs(backends)
    api._generate_config_file_internal()
    return file.read_text()


def changed(config: str, folder: Path, host: str = "127.0.0.1") -> str:
    """Return what HAProxy reads instead, listening on `host`; its own answers are in `folder`."""
    write_answers(folder)
    return edited(config, Edge("haproxy", host, SECRET), folder, FILES)


@asynccontextmanager
async def in_front_of(replicas: dict[str, int], folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Run HAProxy before replicas, given by their names and ports, and yield a client of it.

    The whole block has to end within the patience of its tests.
    """
    port, config = free_port(), folder / "haproxy.cfg"
    servers = [serve_haproxy.ServerConfig(name, "127.0.0.1", at) for name, at in replicas.items()]
    backend = serve_haproxy.BackendConfig(
        name="http-siren", path_prefix="/", app_name="siren", servers=servers
    )
    text = written(folder, {"http-siren": backend}, port, free_port(), free_port())
    config.write_text(changed(text, folder))
    process = await asyncio.create_subprocess_exec(_real_binary(), "-db", "-f", str(config))
    try:
        async with (
            asyncio.timeout(PATIENCE),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client,
        ):
            while True:
                with suppress(httpx.TransportError):
                    await client.get("/")
                    break
                assert process.returncode is None
                await asyncio.sleep(0.02)
            yield client
    finally:
        process.terminate()
        await process.wait()
