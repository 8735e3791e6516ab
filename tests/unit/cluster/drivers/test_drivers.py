"""The drivers explain themselves, and say what they need."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str | int | None]:
    """Run a script as `python -m` does, and return what it gives `sys.exit`."""

    def run(module: str, *arguments: str) -> str | int | None:
        monkeypatch.setattr(sys, "argv", [module, *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(f"cluster.drivers.{module}", run_name="__main__")
        return ended.value.code

    return run


@pytest.mark.parametrize("module", ["follow_one_order", "rush_hour"])
def test_a_driver_s_help_explains_it_and_does_nothing(
    module: str,
    drive: Callable[..., str | int | None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert drive(module, "--help") == 0
    shown = capsys.readouterr()
    assert "on the running system" in shown.out
    assert shown.err == ""


@pytest.mark.parametrize("module", ["follow_one_order", "rush_hour"])
def test_a_driver_says_in_one_sentence_that_nothing_runs(
    module: str,
    drive: Callable[..., str | int | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SIREN_DATA_DIR", str(tmp_path))
    complaint = str(drive(module))
    assert f"nothing runs on {tmp_path}" in complaint
    assert len(complaint.splitlines()) == 1
    assert capsys.readouterr() == ("", "")
