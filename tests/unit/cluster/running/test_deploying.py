"""What a cluster's settings are, and what is refused there."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from actors.contracts.errors import SirenError
from actors.settings import Settings
from cluster.running import deploying
from cluster.running.deploying import check_for_cluster, cluster_settings

URL = "postgresql+asyncpg://siren@db/siren"
SECRET = "s" * 32


@pytest.fixture(autouse=True)
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploying, "SETTINGS_FILES", ())
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


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
def test_nobody_is_the_owner_of_a_cluster_without_signing_in(host: str) -> None:
    assert not cluster_settings(host=host, auth="auto").owner_mode


def test_a_cluster_s_gateway_listens_for_everybody_unless_an_address_is_given() -> None:
    assert cluster_settings().host == "0.0.0.0"
    assert cluster_settings(host="10.0.0.1").host == "10.0.0.1"


def test_what_is_given_goes_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "siren.env"
    file.write_text(
        f"SIREN_DATABASE_URL={URL}\nSIREN_RATE_LIMIT=1/second\nSIREN_ORDER_HOSTS=2\n"
        "SIREN_MAX_IN_FLIGHT=7\n"
    )
    monkeypatch.setenv("SIREN_RATE_LIMIT", "2/second")
    monkeypatch.setenv("SIREN_ORDER_HOSTS", "3")

    found = cluster_settings(file, order_hosts=4)

    assert found.url("journal") == URL
    assert (found.max_in_flight, found.rate_limit, found.order_hosts) == (7, "2/second", 4)


def test_the_first_file_that_a_node_has_is_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "second").write_text("SIREN_MAX_IN_FLIGHT=8\n")
    (tmp_path / "third").write_text("SIREN_MAX_IN_FLIGHT=9\n")
    files = tuple(tmp_path / name for name in ("first", "second", "third"))
    monkeypatch.setattr(deploying, "SETTINGS_FILES", files)

    assert cluster_settings().max_in_flight == 8


def test_a_file_that_was_named_and_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(SirenError, match="no file"):
        cluster_settings(tmp_path / "missing.env")


def test_a_wrong_setting_in_a_file_is_named_without_its_value(tmp_path: Path) -> None:
    file = tmp_path / "siren.env"
    file.write_text("SIREN_JWT_SECRET=too-short-a-secret\n")

    with pytest.raises(ValidationError) as refused:
        cluster_settings(file)

    assert "jwt_secret" in str(refused.value)
    assert "too-short-a-secret" not in str(refused.value)


def test_the_settings_of_one_machine_stay_what_they_are() -> None:
    assert Settings().host == "127.0.0.1"
