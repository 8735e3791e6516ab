"""What operators set live is kept with the journal, in versions, and only where it is right."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from actors.contracts.errors import Invalid, SirenError
from actors.order.journal import Journal
from actors.settings import Settings
from cluster.operations.live_changes import effective, read_live, set_live, unset_live


@pytest.fixture
async def settings(tmp_path: Path, database_url: str) -> Settings:
    found = Settings(data_dir=tmp_path, journal_url=SecretStr(database_url))
    journal = Journal(found.url("journal"))
    await journal.create()
    await journal.close()
    return found


async def test_what_is_set_holds_until_it_is_unset(settings: Settings) -> None:
    assert (await set_live(settings, "max_in_flight", "7")).version == 1
    assert (await set_live(settings, "cors_origins", "https://a.example")).version == 2
    now = await effective(settings)
    assert (now.max_in_flight, now.cors_origins) == (7, ("https://a.example",))

    left = await unset_live(settings, "max_in_flight")

    assert (left.version, list(left.values)) == (3, ["cors_origins"])
    assert (await effective(settings)).max_in_flight == settings.max_in_flight


async def test_the_same_value_again_is_no_change(settings: Settings) -> None:
    first = await set_live(settings, "max_in_flight", "7")
    assert await set_live(settings, "max_in_flight", "7") == first


async def test_of_two_changes_at_once_none_is_lost(settings: Settings) -> None:
    names = ("max_in_flight", "dedicated_max", "breaker_threshold")
    await asyncio.gather(*(set_live(settings, name, "9") for name in names))
    live = await read_live(settings)
    assert (live.version, set(live.values)) == (3, set(names))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("max_in_flight", "0", "max_in_flight: .*greater than or equal to 1"),
        ("rate_limit", "5 a minute", "rate_limit: .*match pattern"),
        ("payment_deadline_s", "nan", "payment_deadline_s: .*finite"),
        ("cors_origins", "nowhere", "cors_origins: .*origins like"),
        ("port", "9000", "port takes a restart: set SIREN_PORT"),
        ("jwt_secret", "s" * 32, r"jwt_secret takes a deploy: .*, then `siren deploy`"),
        ("SIREN_RATE_LIMIT", "5/minute", "did you mean rate_limit"),
        ("nothing_like_it", "1", "nothing_like_it is no setting"),
    ],
)
async def test_what_cannot_be_is_refused_by_its_name_and_changes_nothing(
    settings: Settings, name: str, value: str, words: str
) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        await set_live(settings, name, value)
    assert "s" * 32 not in refused.value.detail
    assert (await read_live(settings)).version == 0


async def test_what_is_not_set_cannot_be_unset(settings: Settings) -> None:
    with pytest.raises(Invalid, match="max_in_flight is not set live"):
        await unset_live(settings, "max_in_flight")
    with pytest.raises(Invalid, match="did you mean max_in_flight"):
        await unset_live(settings, "max_inflight")


async def test_without_a_journal_nothing_is_set_and_nothing_can_be(
    tmp_path: Path, postgres_url: str
) -> None:
    for nowhere in (
        Settings(data_dir=tmp_path),
        Settings(database_url=SecretStr(postgres_url)),
    ):
        assert (await read_live(nowhere)).version == 0
        with pytest.raises(SirenError, match="no journal yet"):
            await set_live(nowhere, "max_in_flight", "7")
    assert not (tmp_path / "journal.db").exists()
