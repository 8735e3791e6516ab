"""`siren chaos` for some seconds on the run's system, and whom it refuses."""

from pathlib import Path

from tests.support.chaos import is_whole, report_of, stopped
from tests.support.outside import accepted
from tests.support.system import System

FAULTS = (
    "kill-order-host",
    "kill-gateway-replica",
    "stop-payment",
    "stop-store",
    "lock-journal",
    "lock-readmodel",
    "slow-disk",
    "cut-clients",
)
SECONDS = 14


def test_a_system_that_is_broken_in_many_ways_keeps_what_it_acknowledged(
    system: System, tmp_path: Path
) -> None:
    before, file = system.holder()["pid"], tmp_path / "report.json"
    options = ("--seconds", SECONDS, "--rate", 5, "--seed", 3, "--faults", ",".join(FAULTS))
    run = system.siren("chaos", "--yes", "--json", str(file), *map(str, options))
    assert run.returncode == 0, run.stdout + run.stderr
    report = report_of(file)
    assert is_whole(report), report
    assert {fault["kind"] for fault in report["faults"]} <= set(FAULTS)
    assert len(report["faults"]) >= 3
    assert report["left_out"] == {}
    assert "no violation" in run.stdout
    assert system.holder()["pid"] == before
    assert stopped(system) == []
    accepted(system)


def test_a_system_that_others_can_reach_is_left_alone(public: System) -> None:
    refused = public.siren("chaos", "--yes")
    assert refused.returncode == 2
    assert "looks as if others depended on it" in refused.stderr
    assert "--public" in refused.stderr


def test_nothing_is_broken_that_nobody_has_agreed_to(system: System) -> None:
    """Its input is no terminal, on which it could ask."""
    refused = system.siren("chaos")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
