"""Whose system may be broken, and with which processes."""

from typing import Any

import pytest
from pydantic import SecretStr

from actors.settings import Settings
from cluster.chaos.ground import exposed, faults_of
from cluster.chaos.guard import Guard

HERE = "http://127.0.0.1:8088"


def reasons(url: str = HERE, *, wants_token: bool = False, **settings: Any) -> list[str]:
    return list(exposed(Settings(**settings), url, wants_token=wants_token))


def test_a_system_of_ones_own_is_exposed_to_nobody() -> None:
    assert reasons() == []
    assert reasons(database_url="postgresql+asyncpg://me@localhost/siren") == []
    assert reasons(database_url="postgresql+asyncpg://me@/siren") == []


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (reasons("http://0.0.0.0:80"), "other machines"),
        (reasons(wants_token=True), "tokens"),
        (reasons(jwks_url="https://id.example.org/keys"), "identity provider"),
        (reasons(stores_url="postgresql+asyncpg://me@db.example.org/siren"), "db.example.org"),
    ],
)
def test_what_others_may_depend_on_says_why(found: list[str], word: str) -> None:
    assert len(found) == 1
    assert word in found[0]


def test_every_kind_of_process_is_killed_and_stopped_and_every_database_locked() -> None:
    names = [fault.name for fault in faults_of(Settings(), 8088, Guard(), 1)]
    assert len(names) == len(set(names))
    for group, count in {"kill": 8, "stop": 8, "lock": 5, "cut": 3, "slow": 1}.items():
        assert sum(name.startswith(f"{group}-") for name in names) == count


def test_connections_to_a_database_are_cut_where_it_is_on_a_server() -> None:
    url = "postgresql+asyncpg://me@127.0.0.1/siren"
    settings = Settings(database_url=SecretStr(url))
    names = {fault.name for fault in faults_of(settings, 8088, Guard(), 1)}
    assert "cut-databases" in names
    assert "slow-disk" not in names
