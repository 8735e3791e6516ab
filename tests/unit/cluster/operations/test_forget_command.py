"""`siren forget` as it is typed: when it refuses, and what it says that it cannot reach."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from actors.contracts.errors import SirenError
from actors.settings import Settings
from cluster.operations import forget
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


async def test_a_cluster_with_another_journal_is_not_the_one_that_is_meant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mine, other = (
        Settings(data_dir=tmp_path, database_url=f"postgresql+asyncpg://siren@{host}/siren")
        for host in ("mine", "other")
    )
    closed = []

    async def close() -> None:
        closed.append(True)

    async def connect(address: str) -> SimpleNamespace:
        assert address == "10.0.0.1:6379"
        return SimpleNamespace(installation=SimpleNamespace(settings=other), close=close)

    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setattr(forget, "connect", connect)

    with pytest.raises(SirenError, match="another journal"):
        await forget.forget_customer(mine, "c-1", lambda *_: None)

    assert closed
