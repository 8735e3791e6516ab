"""Settings that change while the system runs: each process looks for them with the journal.

One row of `meta` has all of them, so that a look is one row by its key. What is set there goes
before whatever the system was started with; `cluster/operations/live_changes.py` writes it.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, NoReturn

import msgspec
from pydantic import ConfigDict, TypeAdapter, ValidationError
from sqlalchemy import MetaData, column, select, table

from actors.contracts.errors import Unavailable
from actors.runtime.database import Database
from actors.runtime.database_faults import file_of
from actors.runtime.retrying import log_surprise
from actors.settings import Service, Settings, is_live

LIVE_SETTINGS = "live_settings"
"""The row's key in `meta`, a table of the journal's that any version can read."""
LOOK_S = 0.5

logger = logging.getLogger("siren")
_meta = table("meta", column("key"), column("value"))


class LiveValue(msgspec.Struct, frozen=True):
    """A value as JSON has it, and since when it is set."""

    value: Any
    since: datetime


class LiveValues(msgspec.Struct, frozen=True):
    """All that is set live, by name. Each change of it has the next `version`."""

    version: int = 0
    values: dict[str, LiveValue] = {}


class LiveSettings:
    """The settings of this process as they are `now`: read them each time, or let `tell` do so.

    `version` is that of the change that it has followed; `refused` says why which values are not
    among `now`, where this version of the code does not take them.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self.now = settings
        self.version = 0
        self.refused: dict[str, str] = {}
        self._started = settings
        self._file = file_of(settings.url("journal"))
        self._database = database
        self._query = database.prepare(select(_meta.c.value).where(_meta.c.key == LIVE_SETTINGS))
        self._seen: str | None = None
        self._looking: asyncio.Task[NoReturn] | None = None
        self._told: list[Callable[[Settings], None]] = []

    def tell(self, apply: Callable[[Settings], None]) -> None:
        """Call `apply` with the settings, at once and after each change."""
        self._told.append(apply)
        apply(self.now)

    def start(self) -> None:
        """Look for changes from now on. While the database is away, the last ones hold."""
        self._looking = asyncio.create_task(self._look_for_ever())

    def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()

    async def _look_for_ever(self) -> NoReturn:
        while True:
            await self.try_to_look()
            await asyncio.sleep(LOOK_S)

    async def try_to_look(self) -> None:
        """Look once; where that fails, what was known still holds."""
        try:
            await self.look()
        except Unavailable:  # noted by the database
            pass
        except Exception as error:  # noqa: BLE001 - told, and tried again
            log_surprise(error)

    async def look(self) -> None:
        """Take what is set live now; raises `Unavailable` where that cannot be read."""
        if self._file is not None and not self._file.exists():
            return  # SQLite would make an empty one
        rows = await self._database.fetch(self._query, {})
        found = rows[0][0] if rows else None
        if found != self._seen:
            self._take(live_values(found))
            self._seen = found

    def _take(self, live: LiveValues) -> None:
        before = self.now
        self.now, self.refused = with_live(self._started, live, before)
        self.version = live.version
        for name, why in self.refused.items():
            logger.warning("%s, set live, is not followed: %s", name, why)
        if self.now != before:
            for apply in self._told:
                apply(self.now)


def following(settings: Settings, service: Service, own: Database) -> LiveSettings:
    """Return the live settings for a service without a journal, over its own database if it can."""
    url = settings.url("journal")
    same = url == settings.url(service)
    return LiveSettings(settings, own if same else Database(url, MetaData()))


def live_values(text: str | None) -> LiveValues:
    """Return what the row says; nothing where there is none. Raises `ValueError`."""
    return LiveValues() if text is None else msgspec.json.decode(text, type=LiveValues)


def with_live(
    started: Settings, live: LiveValues, before: Settings | None = None
) -> tuple[Settings, dict[str, str]]:
    """Return the settings with what is set live, and why each value was refused that is not in.

    A value that is refused leaves what was there `before`.
    """
    changes: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for name, found in live.values.items():
        try:
            changes[name] = checked(name, found.value)
        except ValueError as error:
            refused[name] = str(error)
            if before is not None and name in Settings.model_fields:
                changes[name] = getattr(before, name)
    return started.model_copy(update=changes), refused


def checked(name: str, value: Any) -> Any:
    """Return a value of a live setting as it is used; raises `ValueError` with a sentence."""
    if name not in Settings.model_fields:
        raise ValueError("this version has no such setting")
    if not is_live(name):
        raise ValueError("in this version it does not change live")
    try:
        return _adapter(name).validate_python(value)
    except ValidationError as error:
        raise ValueError("; ".join(each["msg"] for each in error.errors())) from None


def plain(name: str, value: Any) -> Any:
    """Return a checked value as JSON has it."""
    return _adapter(name).dump_python(value, mode="json")


@lru_cache
def _adapter(name: str) -> TypeAdapter[Any]:
    field = Settings.model_fields[name]
    wanted: Any = Annotated[(field.annotation, *field.metadata)]
    config = ConfigDict(allow_inf_nan=False, hide_input_in_errors=True)
    return TypeAdapter(wanted, config=config)
