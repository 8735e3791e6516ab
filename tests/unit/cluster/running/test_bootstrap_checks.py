"""What a start refuses, each in one clear sentence, before anything runs."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import update

from actors.contracts.errors import SirenError
from actors.order.journal import Journal
from actors.order.journal_tables import JOURNAL_SCHEMA_VERSION, meta
from actors.settings import Settings
from actors.store.queries import StoreQueries
from cluster.running import bootstrap
from cluster.running.environment import free_port
from readmodel.queries import OrderDetails


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def refusal(**settings: Any) -> SirenError:
    with pytest.raises(SirenError) as refused:
        bootstrap.check(Settings(**settings))
    assert "\n" not in refused.value.detail
    return refused.value


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org", ""])
def test_beyond_this_machine_nobody_is_the_owner_without_a_token(host: str) -> None:
    settings = Settings(host=host)
    bootstrap.check(settings)
    assert not settings.owner_mode


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1"])
def test_on_this_machine_it_is_so_unless_authentication_is_required(host: str) -> None:
    bootstrap.check(Settings(host=host))
    assert Settings(host=host).owner_mode
    assert not Settings(host=host, auth="required").owner_mode


PROVIDER: dict[str, Any] = {
    "jwks_url": "https://login.example.org/keys",
    "jwks_issuer": "https://login.example.org",
    "jwks_audience": "siren",
}
POSTGRES: dict[str, Any] = {"database_url": "postgresql+asyncpg://siren@127.0.0.1/siren"}


@pytest.mark.parametrize("missing", list(PROVIDER))
def test_a_provider_whose_tokens_could_be_for_others_is_refused(missing: str) -> None:
    bootstrap.check(Settings(**PROVIDER))
    assert refusal(**PROVIDER | {missing: None}).code == "jwks_incomplete"


@pytest.mark.parametrize("url", ["http://login.example.org/keys", "file:///keys", "keys"])
def test_keys_that_can_be_changed_on_their_way_are_refused(url: str) -> None:
    bootstrap.check(Settings(**PROVIDER | {"jwks_url": "http://127.0.0.1:8080/keys"}))
    assert refusal(**PROVIDER | {"jwks_url": url}).code == "jwks_not_https"


def test_on_a_shared_database_authentication_needs_a_shared_secret() -> None:
    required = POSTGRES | {"auth": "required"}
    assert refusal(**required).code == "no_shared_secret"
    bootstrap.check(Settings(**required, jwt_secret="s" * 32))
    bootstrap.check(Settings(**required, **PROVIDER))
    bootstrap.check(Settings(**POSTGRES))


def test_with_a_file_among_the_databases_the_secret_may_stay_on_its_machine() -> None:
    services = ("journal_url", "payments_url", "stores_url", "readmodel_url")
    servers: dict[str, Any] = dict.fromkeys(services, POSTGRES["database_url"])
    assert refusal(**servers, auth="required").code == "no_shared_secret"
    del servers["readmodel_url"]
    bootstrap.check(Settings(**servers, auth="required"))


@pytest.mark.parametrize("origin", ["example.org", "https://example.org/", "https://*", "null"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    bootstrap.check(Settings(cors_origins="https://example.org,http://[::1]:3000"))
    with pytest.raises(ValidationError, match=f"not '{origin}'".replace("*", r"\*")):
        Settings(cors_origins=f"https://example.org,{origin}")


def test_a_taken_port_is_refused_and_named(taken: int) -> None:
    with pytest.raises(SirenError) as refused:
        bootstrap.check_port(Settings(port=taken))
    assert refused.value.code == "port_taken"
    assert str(taken) in refused.value.detail


def test_a_taken_port_of_the_metrics_is_refused_and_named(taken: int) -> None:
    with pytest.raises(SirenError) as refused:
        bootstrap.check_metrics_port(taken)
    assert refused.value.code == "metrics_port_taken"
    assert str(taken) in refused.value.detail
    assert "SIREN_METRICS_PORT" in refused.value.detail


def test_a_port_of_the_metrics_that_is_free_or_not_chosen_is_taken() -> None:
    bootstrap.check_metrics_port(None)
    bootstrap.check_metrics_port(free_port())


@pytest.mark.parametrize(
    "endpoint", ["collector:4318", "ftp://collector", "http://me:secret@collector:4318", "http://"]
)
def test_what_is_no_collector_s_address_is_refused_without_repeating_it(endpoint: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(otlp_endpoint=endpoint)
    assert "otlp_endpoint" in str(refused.value)
    assert endpoint not in str(refused.value)


@pytest.mark.parametrize("host", ["192.0.2.7", "::1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_not_called_taken(host: str) -> None:
    with pytest.raises(SirenError, match=f"cannot listen on {host}") as refused:
        bootstrap.check_port(Settings(host=host, port=free_port()))
    assert refused.value.code == "cannot_listen"


@pytest.mark.parametrize(
    "url",
    ["mysql://db/siren", "postgresql://db/siren", "sqlite+aiosqlite:////tmp/x.db", "somewhere"],
)
def test_a_database_url_of_another_kind_is_refused_without_repeating_it(url: str) -> None:
    error = refusal(database_url=url)
    assert error.code == "wrong_database_url"
    assert "SIREN_DATABASE_URL" in error.detail
    assert url not in error.detail  # it may hold a password


def test_a_postgresql_url_is_accepted() -> None:
    url = "postgresql+asyncpg://siren@127.0.0.1/siren"
    bootstrap.check(Settings(database_url=url))


async def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    await bootstrap.prepare_databases(settings)
    journal = Journal(settings.url("journal"))
    newer = update(meta).where(meta.c.key.in_(("schema_version", "oldest_code")))
    async with journal.database.write() as connection:
        await connection.execute(newer.values(value=str(JOURNAL_SCHEMA_VERSION + 1)))
    await journal.close()
    with pytest.raises(SirenError, match=f"schema version {JOURNAL_SCHEMA_VERSION + 1}") as refused:
        await bootstrap.prepare_databases(settings)
    assert refused.value.code == "database_too_new"


async def test_an_installation_keeps_its_secret_and_its_number_of_hosts(tmp_path: Path) -> None:
    first = await bootstrap.prepare_databases(Settings(data_dir=tmp_path, order_hosts=3))
    second = await bootstrap.prepare_databases(Settings(data_dir=tmp_path, order_hosts=5))
    assert (second.secret, second.order_hosts) == (first.secret, 3)


async def test_menus_and_details_can_be_read_before_any_actor_has_run(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    await bootstrap.prepare_databases(settings)
    stores, details = StoreQueries(settings.url("stores")), OrderDetails(settings.url("readmodel"))
    try:
        assert {"gangnam", "pangyo", "jeju"} <= {row["store_id"] for row in await stores.stores()}
        assert (await details.page()).items == []
    finally:
        await stores.close()
        await details.close()


async def test_a_number_of_order_hosts_that_nobody_chose_grows_with_the_workers(
    tmp_path: Path,
) -> None:
    settings = Settings(data_dir=tmp_path)

    async def hosts(chosen: int | None, workers: int) -> int:
        found = await bootstrap.prepare_databases(settings, lambda _: None, chosen, workers)
        return found.order_hosts

    assert await hosts(None, 0) == 1  # the head came up, its workers have not joined yet
    assert await hosts(None, 3) == 3
    assert await hosts(None, 2) == 3  # one of them is down
    assert await hosts(None, 1000) == 256
    assert await hosts(1, 3) == 1
    assert await hosts(None, 3) == 1  # as it was chosen
