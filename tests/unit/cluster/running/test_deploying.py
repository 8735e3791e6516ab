"""What a deploy on a cluster refuses, and how it ends."""

import pytest

from actors.contracts.errors import SirenError
from cluster.running import node_settings
from cluster.running.deploying import check_for_cluster
from cluster.running.node_settings import cluster_settings

URL = "postgresql+asyncpg://siren@db/siren"
SECRET = "s" * 32


@pytest.fixture(autouse=True)
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_settings, "SETTINGS_FILES", ())
    for name in ("SIREN_DATABASE_URL", "SIREN_JWT_SECRET", "SIREN_HOST", "SIREN_RATE_LIMIT"):
        monkeypatch.delenv(name, raising=False)


def test_a_cluster_without_postgresql_is_refused() -> None:
    with pytest.raises(SirenError, match="PostgreSQL") as refused:
        check_for_cluster(cluster_settings(jwt_secret=SECRET))

    assert refused.value.code == "sqlite_on_a_cluster"


def test_a_cluster_without_a_secret_for_tokens_is_refused() -> None:
    with pytest.raises(SirenError, match="SIREN_JWT_SECRET"):
        check_for_cluster(cluster_settings(database_url=URL))


def test_a_cluster_has_postgresql_and_a_secret() -> None:
    check_for_cluster(cluster_settings(database_url=URL, jwt_secret=SECRET))
