"""`siren headings`: what it prints, writes and returns; nothing real is measured here."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from cluster import headings_commands
from cluster.cli import app
from cluster.headings import catalog
from cluster.headings.record import Heading, Outcome, Verdict
from cluster.headings.target import Target


def heading(name: str, verdict: Verdict, best_known: str = "") -> Heading:
    async def measure(target: Target) -> AsyncIterator[Outcome]:
        target.say(f"measuring {name}")
        yield Outcome(f"{name} was tried", "1 of 1", verdict, {"count": 1})
        yield Outcome(f"{name} again", "2 of 2", Verdict.AIM, {}, ["a problem"])

    return Heading(name, best_known, measure, limit_s=60)


@pytest.fixture(autouse=True)
def headings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        catalog,
        "HEADINGS",
        (heading("saga", Verdict.MET), heading("autoscale", Verdict.MISSED, "356 requests/s")),
    )


def siren(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["headings", *arguments])


def test_the_list_names_every_heading_and_measures_none() -> None:
    result = siren("--list")
    assert (result.exit_code, result.stdout.split()) == (0, ["saga", "autoscale"])


def test_an_unknown_heading_is_refused_with_the_names_of_those_there_are() -> None:
    result = siren("--only", "sagas")
    assert result.exit_code == 2
    assert "saga, autoscale" in result.stderr


def test_only_those_asked_for_are_measured_in_the_order_of_the_table() -> None:
    result = siren("--only", "saga")
    assert result.exit_code == 0
    assert "saga was tried" in " ".join(result.stdout.split())
    assert "autoscale" not in result.stdout


def test_a_must_that_is_missed_is_exit_code_1_and_is_counted() -> None:
    result = siren()
    assert result.exit_code == 1
    assert "1 of 4 figures miss" in result.stdout


def test_progress_and_problems_are_told_apart_from_the_table() -> None:
    result = siren("--only", "saga")
    assert "measuring saga" in result.stderr
    assert "a problem" in result.stderr
    assert "measuring" not in result.stdout


def test_the_file_has_every_figure_with_its_numbers(tmp_path: Path) -> None:
    siren("--json", str(tmp_path / "headings.json"))
    rows = json.loads((tmp_path / "headings.json").read_text())
    assert [row["heading"] for row in rows] == ["saga", "saga", "autoscale", "autoscale"]
    assert rows[2] == {
        "heading": "autoscale",
        "done": "autoscale was tried",
        "figure": "1 of 1",
        "numbers": {"count": 1},
        "problems": [],
        "best_known": "356 requests/s",
        "verdict": "missed",
    }


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    result = siren("--json", str(tmp_path / "none" / "headings.json"))
    assert result.exit_code == 1
    assert "cannot write" in result.stderr
    assert "measuring" not in result.stderr


def test_a_folder_on_which_nothing_runs_is_refused(tmp_path: Path) -> None:
    result = siren("--data", str(tmp_path))
    assert result.exit_code == 1
    assert "not up" in result.stderr


@pytest.mark.parametrize("width", [80, 120])
def test_no_row_of_the_table_is_wider_than_the_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(headings_commands, "console", Console(width=width))
    with pytest.raises(SystemExit):
        app(["headings"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert all(verdict in "\n".join(lines) for verdict in ("met", "missed"))
