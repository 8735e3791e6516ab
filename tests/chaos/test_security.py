"""What the start refuses, and what of the system can be reached from where."""

import socket
from pathlib import Path

import psutil

from tests.chaos.conftest import Catastrophe
from tests.system import GATEWAY, System, free_port

LOOPBACK = ("127.", "::1", "::ffff:127.")


def test_whoever_shows_no_token_is_not_let_into_ray(system: System) -> None:
    join = "import ray; ray.init(address='auto', namespace='siren'); print('joined')"
    assert "joined" in system.run("-c", join).stdout
    stranger = system.run("-c", join, RAY_AUTH_MODE="disabled", RAY_raylet_start_wait_time_s=5)
    assert stranger.returncode != 0
    assert "joined" not in stranger.stdout


def test_ray_reports_its_usage_to_nobody(system: System) -> None:
    servers = [p for p in system.processes() if Path(p.exe()).name in ("gcs_server", "raylet")]
    assert len(servers) == 2
    for server in servers:
        assert server.environ()["RAY_USAGE_STATS_ENABLED"] == "0"


def test_only_haproxy_and_the_replicas_behind_it_listen_beyond_loopback(system: System) -> None:
    beyond = {
        (_name(process), connection.laddr.port)
        for process in system.processes()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN and not connection.laddr.ip.startswith(LOOPBACK)
    }
    assert {name for name, _ in beyond} <= {"haproxy", "replica"}
    assert system.port not in {port for _, port in beyond}


def test_two_systems_on_one_machine_share_no_port(system: System, catastrophe: Catastrophe) -> None:
    """Serve's own defaults are shared: one system's HAProxy would hand orders to the other."""
    assert not _ports(system) & _ports(catastrophe.system)


def test_the_data_folder_is_the_owner_s_alone(system: System) -> None:
    assert system.data_dir.stat().st_mode & 0o077 == 0


def test_an_address_that_others_can_reach_is_refused(system: System, tmp_path: Path) -> None:
    refused = system.siren("up", "--host", "0.0.0.0", "--data", str(tmp_path / "data"))
    assert refused.returncode == 1
    assert refused.stderr.strip().count("\n") == 0, refused.stderr
    assert "refusing to listen on 0.0.0.0" in refused.stderr


def test_a_second_system_on_one_folder_is_refused_and_told_who_has_it(system: System) -> None:
    refused = system.siren("up", "--port", str(free_port()))
    assert refused.returncode == 1
    assert f"in use by process {system.holder()['pid']}" in refused.stderr
    assert system.http.get("/readyz").status_code == 200


def test_a_port_that_is_taken_is_refused_by_name(system: System, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = system.siren("up", "--port", port, "--data", str(tmp_path / "data"))
    assert refused.returncode == 1
    assert f"port {port}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_folder_that_cannot_be_written_is_refused_by_name(system: System, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    refused = system.siren(
        "up", "--port", str(free_port()), "--data", str(tmp_path / "file" / "data")
    )
    assert refused.returncode == 1
    assert "is not writable" in refused.stderr


def _ports(system: System) -> set[int]:
    return {
        connection.laddr.port
        for process in system.processes()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }


def _name(process: psutil.Process) -> str:
    title = " ".join(process.cmdline())
    if title.startswith(GATEWAY):
        return "replica"
    return "haproxy" if "/haproxy " in title else title
