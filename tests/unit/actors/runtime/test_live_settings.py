"""Every process follows what is set live, and keeps what it had where it cannot."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr
from sqlalchemy import MetaData

from actors.order.journal import Journal
from actors.runtime import live_settings
from actors.runtime.database import Database
from actors.runtime.live_settings import (
    LIVE_SETTINGS,
    LiveSettings,
    LiveValue,
    LiveValues,
    checked,
    following,
    live_values,
    plain,
    with_live,
)
from actors.settings import Settings, is_live

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def row(version: int, **values: Any) -> str:
    """What an operator's command leaves in the journal's database."""
    each = {name: LiveValue(value, NOW) for name, value in values.items()}
    return msgspec.json.encode(LiveValues(version, each)).decode()


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return Settings(data_dir=tmp_path, database_url=SecretStr(database_url))


@pytest.fixture
async def journal(settings: Settings) -> AsyncIterator[Journal]:
    journal = Journal(settings.url("journal"))
    await journal.create()
    yield journal
    await journal.close()


async def test_what_is_set_live_goes_before_what_the_system_was_started_with(
    settings: Settings, journal: Journal
) -> None:
    live = LiveSettings(settings, journal.database)
    await live.look()
    assert (live.now, live.version) == (settings, 0)

    await journal.replace(LIVE_SETTINGS, row(1, rate_limit="3/hour", cors_origins=["https://a"]))
    await live.look()
    assert (live.now.rate_limit, live.now.cors_origins) == ("3/hour", ("https://a",))
    assert live.now.max_in_flight == settings.max_in_flight
    assert live.version == 1

    await journal.replace(LIVE_SETTINGS, row(2))
    await live.look()
    assert (live.now, live.version) == (settings, 2)


async def test_whoever_is_told_hears_of_each_change_once(
    settings: Settings, journal: Journal
) -> None:
    live = LiveSettings(settings, journal.database)
    told: list[int] = []
    live.tell(lambda now: told.append(now.max_in_flight))

    await journal.replace(LIVE_SETTINGS, row(1, max_in_flight=7))
    await live.look()
    await live.look()
    await journal.replace(LIVE_SETTINGS, row(2, max_in_flight=7))
    await live.look()

    assert told == [settings.max_in_flight, 7]


async def test_changes_are_looked_for_as_long_as_a_process_lives(
    settings: Settings, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_settings, "LOOK_S", 0.001)
    live = LiveSettings(settings, journal.database)
    seen = asyncio.Event()
    live.tell(lambda now: seen.set() if now.max_in_flight == 7 else None)
    live.start()

    await journal.replace(LIVE_SETTINGS, row(1, max_in_flight=7))

    async with asyncio.timeout(10):
        await seen.wait()
    live.stop()


async def test_what_one_version_does_not_know_or_refuses_keeps_what_it_had(
    settings: Settings, journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    live = LiveSettings(settings, journal.database)
    await journal.replace(LIVE_SETTINGS, row(1, max_in_flight=7))
    await live.look()

    of_another_version = row(2, max_in_flight=-1, of_tomorrow=1, port=9, breaker_threshold=2)
    await journal.replace(LIVE_SETTINGS, of_another_version)
    with caplog.at_level(logging.WARNING):
        await live.look()

    assert (live.now.max_in_flight, live.now.breaker_threshold, live.version) == (7, 2, 2)
    assert live.now.port == settings.port
    assert set(live.refused) == {"max_in_flight", "of_tomorrow", "port"}
    assert "of_tomorrow" in caplog.text


async def test_while_the_row_cannot_be_read_the_last_settings_hold(
    settings: Settings, journal: Journal
) -> None:
    live = LiveSettings(settings, journal.database)
    await journal.replace(LIVE_SETTINGS, row(1, max_in_flight=7))
    await live.try_to_look()
    await journal.replace(LIVE_SETTINGS, "no JSON")
    await live.try_to_look()
    assert live.now.max_in_flight == 7

    await journal.replace(LIVE_SETTINGS, row(2, max_in_flight=8))
    await live.try_to_look()
    assert live.now.max_in_flight == 8


async def test_a_service_without_a_journal_follows_too_and_makes_none(
    settings: Settings, tmp_path: Path
) -> None:
    own = Database(settings.url("stores"), MetaData())
    live = following(settings, "stores", own)
    await live.try_to_look()
    assert not (tmp_path / "journal.db").exists()

    journal = Journal(settings.url("journal"))
    await journal.create()
    await journal.replace(LIVE_SETTINGS, row(1, max_in_flight=7))
    await live.try_to_look()
    assert live.now.max_in_flight == 7

    for database in (journal, own, live._database):
        await database.close()


@pytest.mark.parametrize("name", [name for name in Settings.model_fields if is_live(name)])
def test_any_live_setting_can_be_kept_as_json_and_read_again(name: str) -> None:
    default = getattr(Settings(), name)
    kept = live_values(row(1, **{name: plain(name, default)}))
    assert with_live(Settings(), kept) == (Settings(), {})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("max_in_flight", "0", "greater than or equal to 1"),
        ("max_in_flight", "many", "valid integer"),
        ("rate_limit", "fast", "match pattern"),
        ("payment_deadline_s", "inf", "finite"),
        ("payment_deadline_s", "1e300", "less than or equal to"),
        ("cors_origins", "https://a.example,nowhere", "not 'nowhere'"),
        ("port", "9000", "in this version it does not change live"),
        ("prot", "9000", "no such setting"),
    ],
)
def test_a_live_value_is_refused_with_a_sentence(name: str, value: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        checked(name, value)
