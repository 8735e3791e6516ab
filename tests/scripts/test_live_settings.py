"""A setting that is changed while the system runs reaches every process, and none is restarted."""

import re

import httpx

from tests.support.system import System

ORIGIN = "https://live.example"


def pids(system: System) -> set[int]:
    return {process.pid for process in system.processes("ray::")}


def lets_in(system: System) -> list[bool]:
    """Ask often enough, each time over a connection of its own, to reach each replica."""
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}
    answers = [httpx.options(f"{system.url}/stores", headers=asked) for _ in range(20)]
    return ["access-control-allow-origin" in answer.headers for answer in answers]


def test_every_process_follows_a_live_change_and_its_end_without_a_restart(system: System) -> None:
    before, kept_out = pids(system), lets_in(system)

    changed = system.siren("config", "set", "cors_origins", ORIGIN)
    try:
        let_in = lets_in(system)
        listed = system.siren("config").stdout
        status = system.siren("status").stdout
    finally:
        undone = system.siren("config", "unset", "cors_origins")

    assert changed.returncode == undone.returncode == 0, changed.stderr + undone.stderr
    assert re.search(r"followed by all \d+ processes after", changed.stdout)
    assert re.search(rf"cors_origins = {ORIGIN}\n +set live since", listed)
    (newest,) = re.findall(r"version of the live settings\W+(\d+)", status)
    followed = dict(
        re.findall(r"^│ (gateway \w+|payment|store|projection) .*│ +(\d+) +│", status, re.MULTILINE)
    )
    assert set(followed.values()) == {newest}
    assert {name.partition(" ")[0] for name in followed} >= {"gateway", "payment", "store"}
    assert not any(kept_out)
    assert all(let_in)
    assert not any(lets_in(system))
    assert before <= pids(system)


def test_serve_counts_replicas_anew_and_restarts_none(system: System) -> None:
    before = pids(system)
    changed = system.siren("config", "set", "gateway_target_requests", "99")
    undone = system.siren("config", "unset", "gateway_target_requests")
    assert changed.returncode == undone.returncode == 0, changed.stderr + undone.stderr
    assert before <= pids(system)
