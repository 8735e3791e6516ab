"""HAProxy's configuration: as the installed Serve writes it, and as the system changes it."""

from pathlib import Path

from ray.serve._private import haproxy as serve_haproxy
from ray.serve.config import HTTPOptions

from cluster.haproxy_config import Edge, edited, write_error

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
    """Return what HAProxy reads instead, listening on `host`; its error files are in `folder`."""
    write_error(folder / "error.http")
    return edited(config, Edge("haproxy", host, SECRET), folder / "error.http", FILES)
