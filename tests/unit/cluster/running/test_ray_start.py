"""`siren node ray start` starts Ray again where Ray was too slow for itself, and only then."""

import os
from pathlib import Path

import pytest

from cluster.running import ray_start

TOO_SLOW = "The current node timed out during startup. This could happen because"
COMMAND = ["ray", "start", "--address=head:6379"]


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return tmp_path / "calls"


def environment(tmp_path: Path, script: str) -> dict[str, str]:
    """Return one in which `ray` notes how it is called, and then does what the script says."""
    ray = tmp_path / "ray"
    ray.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/calls\n[ "$1" = stop ] && exit\n{script}\n')
    ray.chmod(0o700)
    return os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def test_a_start_that_was_too_slow_is_cleared_away_and_tried_again(
    tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"[ $(wc -l <{calls}) -ge 5 ] || {{ echo '{TOO_SLOW}' >&2; exit 1; }}"
    found = environment(tmp_path, script)
    monkeypatch.setenv("PATH", found["PATH"])

    assert ray_start.start(COMMAND, found) == 0

    start, stop = "start --address=head:6379", "stop --force"
    assert calls.read_text().splitlines() == [start, stop, start, stop, start]


def test_one_that_is_always_too_slow_fails_in_the_end(
    tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    found = environment(tmp_path, f"echo '{TOO_SLOW}' >&2; exit 3")
    monkeypatch.setenv("PATH", found["PATH"])

    assert ray_start.start(COMMAND, found, starts=2) == 3

    assert calls.read_text().count("start ") == 2
    assert TOO_SLOW in capfd.readouterr().err


def test_another_failure_is_not_repeated(
    tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = environment(tmp_path, "echo 'no such option' >&2; exit 2")
    monkeypatch.setenv("PATH", found["PATH"])

    assert ray_start.start(COMMAND, found) == 2

    assert len(calls.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (COMMAND, True),
        (["ray", "start", "--head"], True),
        (["ray", "start", "--head", "--block"], False),
        (["ray", "status"], False),
        (["bash", "-c", "ray start"], False),
    ],
)
def test_only_a_start_that_returns_is_repeated(command: list[str], *, expected: bool) -> None:
    assert ray_start.is_start(command) is expected
