"""What `siren chaos` refuses before it does anything."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.cli import app

MISUSE = 2


def refused(*options: str) -> str:
    ended = CliRunner().invoke(app, ["chaos", *options])
    assert ended.exit_code == MISUSE, ended.output
    return " ".join(ended.output.split())


def test_a_folder_on_which_nothing_runs(tmp_path: Path) -> None:
    assert "nothing runs on" in refused("--yes", "--data", str(tmp_path))


@pytest.mark.parametrize(
    "option", [("--seconds", "0"), ("--rate", "0"), ("--seed", "-1"), ("--seconds", "soon")]
)
def test_a_wrong_option_is_named(option: tuple[str, str]) -> None:
    assert option[0] in refused(*option)


def test_a_report_that_could_not_be_written(tmp_path: Path) -> None:
    said = refused("--data", str(tmp_path), "--json", str(tmp_path / "no" / "report.json"))
    assert "cannot write" in said


def test_the_kinds_of_faults_are_listed_where_nothing_runs(tmp_path: Path) -> None:
    ended = CliRunner().invoke(app, ["chaos", "--list", "--data", str(tmp_path)])
    assert ended.exit_code == 0
    assert "kill-order-host" in ended.output
    assert json.dumps(list(tmp_path.iterdir())) == "[]"
