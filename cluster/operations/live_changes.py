"""Settings set live, and unset: committed in the journal's database, from where all follow them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import ProgrammingError

from actors.contracts.errors import Invalid, SirenError
from actors.order.journal import Journal
from actors.order.journal_tables import meta
from actors.runtime.database_faults import file_of
from actors.runtime.live_settings import (
    LIVE_SETTINGS,
    LiveValue,
    LiveValues,
    checked,
    live_values,
    plain,
    with_live,
)
from actors.settings import Settings, is_live, variable
from actors.settings_file import nearest
from cluster.operations.database_urls import check_urls
from cluster.operations.settings_report import takes
from cluster.running.settings_checks import check_authentication

Values = dict[str, LiveValue]


async def set_live(settings: Settings, name: str, value: str) -> LiveValues:
    """Set one setting live, and return all that is; the same value again is no change.

    `settings` are those that the system was started with: what is set must be right together with
    them. Raises `Invalid`, which names the setting, or `SirenError` where nothing can be kept.
    """
    check_name(name)
    try:
        found = plain(name, checked(name, value))
    except ValueError as error:
        raise Invalid("wrong_setting", f"{name}: {error}", f"/{name}") from error

    def add(values: Values) -> Values:
        if name in values and values[name].value == found:
            return values
        return values | {name: LiveValue(found, datetime.now(UTC))}

    return await _change(settings, add)


async def unset_live(settings: Settings, name: str) -> LiveValues:
    """Let one setting be what the system was started with, and return what is still set live.

    Raises as `set_live` does, also where it is not set live.
    """

    def remove(values: Values) -> Values:
        if name not in values:
            check_name(name)
            raise Invalid("not_set", f"{name} is not set live", f"/{name}")
        return {each: values[each] for each in values if each != name}

    return await _change(settings, remove)


async def read_live(settings: Settings) -> LiveValues:
    """Return what is set live; nothing where there is no journal yet. Raises `Unavailable`."""
    check_urls(settings)
    if _is_missing(settings):
        return LiveValues()
    journal = Journal(settings.url("journal"))
    try:
        return live_values(await journal.recall(LIVE_SETTINGS))
    except ProgrammingError:  # a server's database in which nothing was made yet
        return LiveValues()
    finally:
        await journal.close()


def tell_live(settings: Settings, report: Callable[[str], None]) -> None:
    """Say at a start what is set live, as it goes before all that the start was given."""
    if live := asyncio.run(read_live(settings)).values:
        report(f"set live, whatever else is said of it: {', '.join(sorted(live))}")


async def effective(settings: Settings) -> Settings:
    """Return the settings with what is set live, as every process has them."""
    return with_live(settings, await read_live(settings))[0]


def check_name(name: str) -> None:
    """Raise `Invalid` where there is no such setting, or where it cannot be set live."""
    if name not in Settings.model_fields:
        meant = nearest(name.lower().removeprefix("siren_"), Settings.model_fields)
        hint = f": did you mean {meant}?" if meant else ""
        raise Invalid("no_setting", f"{name} is no setting{hint}", f"/{name}")
    if not is_live(name):
        needed = takes(name)
        detail = f"{name} takes a {needed}: set {variable(name)}, or {name} in the settings' file"
        then = "then `siren deploy`" if needed == "deploy" else "and start again"
        raise Invalid(f"takes_a_{needed}", f"{detail}, {then}", f"/{name}")


async def _change(settings: Settings, change: Callable[[Values], Values]) -> LiveValues:
    check_urls(settings)
    if _is_missing(settings):
        raise _no_journal()
    journal = Journal(settings.url("journal"))
    try:
        async with journal.database.write() as connection:
            mine = meta.c.key == LIVE_SETTINGS
            before = live_values(await connection.scalar(select(meta.c.value).where(mine)))
            values = change(before.values)
            if values == before.values:
                return before
            after = LiveValues(before.version + 1, values)
            check_authentication(with_live(settings, after)[0])
            row = {"key": LIVE_SETTINGS, "value": msgspec.json.encode(after).decode()}
            insert = journal.database.insert(meta)
            upsert = insert.on_conflict_do_update(index_elements=["key"], set_=row)
            await connection.execute(upsert, row)
            return after
    except ProgrammingError as error:
        raise _no_journal() from error
    finally:
        await journal.close()


def _is_missing(settings: Settings) -> bool:
    file = file_of(settings.url("journal"))
    return file is not None and not file.exists()


def _no_journal() -> SirenError:
    detail = "there is no journal yet to keep it in: the first start of the system makes one"
    return SirenError("no_journal", detail)
