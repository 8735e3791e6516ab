"""What tests of backups share: a system to back up, one to restore to, and a folder between."""

from pathlib import Path

import pytest

from actors.settings import Settings
from cluster.audit import verify as audit
from cluster.backup import moment, taking


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "PAUSE_S", 0)
    monkeypatch.setattr(moment, "PAUSE_S", 0)
    monkeypatch.setattr(taking, "NICENESS", 0)  # it is the tests' process


@pytest.fixture
def old(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "old")


@pytest.fixture
def new(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "new")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backup"
