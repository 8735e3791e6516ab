"""Where each service's database is: which variables say so, and which of them are refused."""

from pathlib import Path
from typing import Any

import pytest

from actors.contracts.errors import SirenError
from actors.runtime.postgres_connections import CACHES
from actors.settings import SERVICES, Settings
from cluster.operations.database_urls import check_urls, elsewhere

COMMON = "postgresql+asyncpg://siren@db.example/siren"
OWN = "postgresql+asyncpg://siren@money.example/money"
OF_SERVICES = ("journal_url", "payments_url", "stores_url", "readmodel_url")


def settings(tmp_path: Path, **urls: Any) -> Settings:
    return Settings(data_dir=tmp_path / "data", **urls)


def refusal(tmp_path: Path, **urls: Any) -> SirenError:
    with pytest.raises(SirenError) as refused:
        check_urls(settings(tmp_path, **urls))
    assert "\n" not in refused.value.detail
    return refused.value


def test_a_service_s_own_url_comes_before_the_common_one(tmp_path: Path) -> None:
    file = f"sqlite+aiosqlite:///{tmp_path}/stores.db"
    mixed = settings(tmp_path, database_url=COMMON, payments_url=OWN, stores_url=file)
    check_urls(mixed)
    assert {service: mixed.url(service) for service in SERVICES} == {
        "journal": COMMON,
        "payments": OWN,
        "provider": OWN,
        "stores": file,
        "readmodel": COMMON,
    }
    assert [mixed.variable_of(service) for service in ("journal", "payments", "stores")] == [
        "SIREN_DATABASE_URL",
        "SIREN_PAYMENTS_URL",
        "SIREN_STORES_URL",
    ]


def test_without_any_url_each_service_has_a_file_of_the_data_folder(tmp_path: Path) -> None:
    alone = settings(tmp_path)
    check_urls(alone)
    assert alone.url("stores") == f"sqlite+aiosqlite:///{tmp_path}/data/stores.db"
    assert alone.variable_of("stores") is None
    assert elsewhere(alone) == {}


def test_the_environment_names_each_service_s_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in OF_SERVICES:
        monkeypatch.setenv(f"SIREN_{name.upper()}", f"{COMMON}_{name}")
    named = Settings(data_dir=tmp_path)
    assert named.url("journal") == f"{COMMON}_journal_url"
    assert named.url("provider") == f"{COMMON}_payments_url"
    assert named.url("readmodel") == f"{COMMON}_readmodel_url"


def test_the_simulated_provider_s_books_stand_beside_payment_s(tmp_path: Path) -> None:
    mixed = settings(tmp_path, payments_url=f"sqlite+aiosqlite:///{tmp_path}/money/mine.db")
    check_urls(mixed)
    assert mixed.url("provider") == f"sqlite+aiosqlite:///{tmp_path}/money/provider.db"


def test_what_is_elsewhere_is_told_without_a_password(tmp_path: Path) -> None:
    own = OWN.replace("siren@", "siren:hunter2@")
    mixed = settings(tmp_path, payments_url=own, stores_url="sqlite+aiosqlite:////x/s.db")
    assert elsewhere(mixed) == {
        "PostgreSQL at money.example:5432/money": ["payments", "provider"],
        "/x/s.db": ["stores"],
    }


@pytest.mark.parametrize("name", OF_SERVICES)
@pytest.mark.parametrize(
    "url",
    [
        "",
        "somewhere",
        "mysql://db/siren",
        "postgresql://db/siren",
        "postgresql+asyncpg://db:0/siren",
        "postgresql+asyncpg://db:70000/siren",
        "sqlite:////tmp/x.db",
        "sqlite+aiosqlite://",
        "sqlite+aiosqlite:///:memory:",
        "sqlite+aiosqlite:///data/x.db",
        "sqlite+aiosqlite:////tmp/",
        "sqlite+aiosqlite:////tmp/x.db?mode=memory",
        "sqlite+aiosqlite:///file:/tmp/x.db",
        "sqlite+aiosqlite://host/tmp/x.db",
    ],
)
def test_a_wrong_url_is_named_by_its_variable(tmp_path: Path, name: str, url: str) -> None:
    error = refusal(tmp_path, **{name: url})
    assert error.code == "wrong_database_url"
    assert error.detail.startswith(f"SIREN_{name.upper()} must look like postgresql+asyncpg://")
    assert "sqlite+aiosqlite:////" in error.detail


def test_a_wrong_common_url_is_refused_though_no_service_needs_it(tmp_path: Path) -> None:
    error = refusal(tmp_path, database_url="somewhere", **dict.fromkeys(OF_SERVICES, OWN))
    assert error.detail.startswith("SIREN_DATABASE_URL must look like")


def test_an_option_that_is_not_known_is_named(tmp_path: Path) -> None:
    error = refusal(tmp_path, stores_url=f"{OWN}?sslmod=require")
    assert error.detail == "SIREN_STORES_URL has an option 'sslmod', which is not known"


@pytest.mark.parametrize("option", ["ssl", "sslmode", *CACHES])
def test_an_option_s_value_is_looked_at(tmp_path: Path, option: str) -> None:
    error = refusal(tmp_path, database_url=f"{OWN}?{option}=secret")
    assert error.detail.startswith(f"SIREN_DATABASE_URL has an option '{option}' that must be ")
    assert "secret" not in error.detail


@pytest.mark.parametrize(
    "options",
    [
        "ssl=require&prepared_statement_cache_size=0",
        "sslmode=verify-full&sslrootcert=/etc/ca.pem&sslcert=/etc/c.pem&sslkey=/etc/k.pem",
        "statement_cache_size=0",
        "host=one,two&port=5432,5433&target_session_attrs=read-write",
        "application_name=siren",
    ],
)
def test_options_for_encryption_poolers_and_several_hosts_may_be_given(
    tmp_path: Path, options: str
) -> None:
    check_urls(settings(tmp_path, stores_url=f"{OWN}?{options}"))


@pytest.mark.parametrize(
    ("files", "services"),
    [
        ({"stores_url": "both.db", "readmodel_url": "both.db"}, ("stores", "readmodel")),
        ({"readmodel_url": "data/journal.db"}, ("journal", "readmodel")),
        ({"payments_url": "money/provider.db"}, ("payments", "provider")),
    ],
)
def test_no_two_services_share_a_file(
    tmp_path: Path, files: dict[str, str], services: tuple[str, str]
) -> None:
    urls = {name: f"sqlite+aiosqlite:///{tmp_path}/{file}" for name, file in files.items()}
    error = refusal(tmp_path, **urls)
    assert error.code == "database_shared"
    assert all(service in error.detail for service in services)


def test_a_link_to_another_service_s_file_is_seen_through(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    error = refusal(tmp_path, stores_url=f"sqlite+aiosqlite:///{tmp_path}/link/journal.db")
    assert error.code == "database_shared"
