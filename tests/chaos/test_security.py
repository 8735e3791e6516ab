"""What the start refuses, and what of the system can be reached from where."""

import re
import socket
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from cluster.running.environment import free_port
from cluster.running.processes import title_of
from tests.chaos.conftest import Catastrophe
from tests.support.outside import found, new_order
from tests.support.system import (
    GATEWAY,
    System,
    connections_of,
    eventually,
    program_of,
)

LOOPBACK = ("127.", "::1", "::ffff:127.")


def test_whoever_shows_no_token_is_not_let_into_ray(system: System) -> None:
    join = "import ray; ray.init(address='auto', namespace='siren'); print('joined')"
    assert "joined" in system.run("-c", join).stdout
    stranger = system.run("-c", join, RAY_AUTH_MODE="disabled", RAY_raylet_start_wait_time_s=5)
    assert stranger.returncode != 0
    assert "joined" not in stranger.stdout


def test_ray_reports_its_usage_to_nobody(system: System) -> None:
    servers = [p for p in system.processes() if program_of(p) in ("gcs_server", "raylet")]
    assert len(servers) == 2
    for server in servers:
        assert server.environ()["RAY_USAGE_STATS_ENABLED"] == "0"


def test_nothing_but_haproxy_s_own_port_listens_beyond_loopback(
    system: System, public: System
) -> None:
    assert _beyond_loopback(system) == set()
    assert _beyond_loopback(public) == {("haproxy", public.port)}


def _beyond_loopback(system: System) -> set[tuple[str, int]]:
    return {
        (_name(process), connection.laddr.port)
        for process in system.processes()
        for connection in connections_of(process)
        if connection.status == psutil.CONN_LISTEN and not connection.laddr.ip.startswith(LOOPBACK)
    }


def test_two_systems_on_one_machine_share_no_port(system: System, catastrophe: Catastrophe) -> None:
    """Serve's own defaults are shared: one system's HAProxy would hand orders to the other."""
    assert not _ports(system) & _ports(catastrophe.system)


def test_a_script_reaches_the_system_of_its_data_folder(
    system: System, catastrophe: Catastrophe
) -> None:
    both = (system, catastrophe.system)
    for one, other in (both, both[::-1]):
        ran = one.run("-m", "cluster.drivers.follow_one_order", RAY_ADDRESS="")
        assert ran.returncode == 0, ran.stderr
        (order_id,) = re.findall(r"[0-9a-f]{35}", ran.stdout)
        found = "SELECT 1 FROM events WHERE order_id = ?"
        assert one.sql("journal", found, order_id)
        assert not other.sql("journal", found, order_id)
        torn = one.run("-m", "cluster.drivers.follow_one_order", RAY_ADDRESS=other.holder()["ray"])
        assert torn.returncode == 1
        assert "unset one of them" in torn.stderr


def test_the_data_folder_is_the_owner_s_alone(system: System) -> None:
    assert system.data_dir.stat().st_mode & 0o077 == 0


def test_the_secret_of_tokens_is_the_owner_s_alone(system: System) -> None:
    assert (system.data_dir / "token.secret").stat().st_mode & 0o777 == 0o600


def test_haproxy_adds_nothing_that_looks_like_a_proxy_and_hides_nothing_that_does(
    system: System,
) -> None:
    assert system.http.get("/session").json()["role"] == "owner"
    for strange in (
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
    ):
        assert system.http.get("/order-details", headers=strange).status_code == 401


def test_nothing_answers_past_haproxy(system: System) -> None:
    """Another system's HAProxy, or one that a crash left behind, may send orders there."""
    order = new_order()
    refused = 0
    eventually(lambda: len(system.processes(GATEWAY)) == 2, "both replicas run")
    for process in (*system.processes(GATEWAY), *system.processes("ray::ProxyActor")):
        for port in {c.laddr.port for c in connections_of(process) if not c.raddr}:
            with suppress(httpx.HTTPError):  # it does not speak HTTP
                answer = httpx.post(f"http://127.0.0.1:{port}/orders", json=order, timeout=10)
                assert answer.status_code == 421
                assert answer.headers["content-type"] == "application/problem+json"
                refused += 1
    assert refused == 3  # two replicas, and Serve's own proxy
    customer = {"customer_id": order["customer"]["id"]}
    assert system.http.get("/order-details", params=customer).json()["items"] == []


def test_where_others_can_come_in_everybody_needs_a_token(public: System) -> None:
    for headers in ({}, {"Host": "localhost"}, {"Authorization": "Bearer nonsense"}):
        assert public.http.get("/order-details", headers=headers).status_code == 401
    assert public.http.get("/session").json()["authentication"] == "required"

    printed = public.siren("token", "--role", "owner")
    assert printed.returncode == 0, printed.stderr
    owner = {"Authorization": f"Bearer {printed.stdout.strip()}"}
    assert public.http.get("/order-details", headers=owner).status_code == 200

    guest = public.http.post("/session").json()
    person = {"id": guest["subject"], "name": "Nara Passingby", "tel": "010-7777-0001"}
    headers = {"Authorization": f"Bearer {guest['token']}", "Prefer": "wait=30"}
    placed = public.http.post("/orders", json=new_order(customer=person), headers=headers)
    assert placed.status_code == 201
    path = placed.headers["location"]
    assert public.http.get(path, headers=headers).status_code == 200
    other = {"Authorization": f"Bearer {public.http.post('/session').json()['token']}"}
    assert public.http.get(path, headers=other).status_code == 404

    logs = [file for file in public.ray_logs().rglob("*") if file.is_file()]
    assert found("GET /orders/{order_id} 404", logs)
    for secret in (guest["subject"], guest["token"], person["name"], person["tel"], path):
        assert found(secret, [public.log, *logs]) == []


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
        for connection in connections_of(process)
        if connection.status == psutil.CONN_LISTEN
    }


def _name(process: psutil.Process) -> str:
    title = title_of(process)
    return "haproxy" if "/haproxy " in title else title
