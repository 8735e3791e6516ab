"""`siren forget` as it is typed: when it refuses, and what it says that it cannot reach."""

from pathlib import Path

from tests.support.command import sentence, siren


def test_forget_needs_the_running_system(tmp_path: Path) -> None:
    result = siren("forget", "c-17", "--yes", data=tmp_path)
    assert result.exit_code == 1
    assert "start it with `siren up`" in sentence(result)


def test_forget_asks_nobody_where_there_is_nobody_to_ask(tmp_path: Path) -> None:
    result = siren("forget", "c-17", data=tmp_path)
    assert result.exit_code == 1
    assert "repeat it with --yes" in sentence(result)


def test_forget_names_backups_as_what_it_cannot_reach() -> None:
    assert "BACKUPS ARE NOT TOUCHED" in " ".join(siren("forget", "--help").stdout.split())
