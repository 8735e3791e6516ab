"""Which of the configured database URLs cannot work; says so without repeating any of them."""

import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from actors.contracts.errors import SirenError
from actors.runtime.database_faults import name_of, sqlite_files
from actors.runtime.postgres_connections import CACHES, OPTIONS
from actors.settings import SERVICES, Service, Settings, variable

POSTGRES, SQLITE = "postgresql+asyncpg", "sqlite+aiosqlite"
POSTGRES_FORM = f"{POSTGRES}://user@host/name"
SQLITE_FORM = f"{SQLITE}:////folder/name.db"
MAX_PORT = 65535
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
VALUES = {
    **dict.fromkeys(("ssl", "sslmode"), ("|".join(SSL_MODES), f"one of {', '.join(SSL_MODES)}")),
    **dict.fromkeys(CACHES, ("[0-9]{1,5}", "a number")),
}


def check_urls(settings: Settings) -> None:
    """Raise `SirenError`, naming the variable, unless each database URL is one that we can use.

    SQLite is for single services: two of them in one file would wait for each other's commits, and
    a damaged view that is set aside would take the other along.
    """
    if settings.database_url is not None:
        _check(variable("database_url"), settings.database_url.get_secret_value(), POSTGRES_FORM)
    for service in SERVICES:
        name = settings.variable_of(service)
        if name is not None and name != variable("database_url") and service != "provider":
            _check(name, settings.url(service), f"{POSTGRES_FORM} or {SQLITE_FORM}")
    _check_apart(settings)


def elsewhere(settings: Settings) -> dict[str, list[Service]]:
    """Return the services whose database is not in the data folder, by where it is."""
    found: dict[str, list[Service]] = {}
    for service in SERVICES:
        if settings.variable_of(service) is not None:
            found.setdefault(name_of(settings.url(service)), []).append(service)
    return found


def _check(name: str, text: str, form: str) -> None:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # whose text may have a part of the password
        url = None
    if url is None or not (_is_postgres(url) or (SQLITE_FORM in form and _is_file(url))):
        raise SirenError("wrong_database_url", f"{name} must look like {form}")
    if url.get_backend_name() == "postgresql":
        for option in sorted(url.query.keys() - OPTIONS):
            detail = f"{name} has an option {option!r}, which is not known"
            raise SirenError("wrong_database_url", detail)
        for option, (right, words) in VALUES.items():
            if option in url.query and not re.fullmatch(right, str(url.query[option])):
                detail = f"{name} has an option {option!r} that must be {words}"
                raise SirenError("wrong_database_url", detail)


def _is_postgres(url: URL) -> bool:
    return url.drivername == POSTGRES and (url.port is None or 0 < url.port <= MAX_PORT)


def _is_file(url: URL) -> bool:
    """Whether it is a file's whole path, and nothing else: options would be lost on the way."""
    path = url.database or ""
    alone = url == URL.create(SQLITE, database=path)
    return alone and path.startswith("/") and not path.endswith("/") and "?" not in path


def _check_apart(settings: Settings) -> None:
    taken: dict[Path, str] = {}
    for name, file in _named_files(settings):
        other = taken.setdefault(file.resolve(), name)
        if other != name:
            detail = f"{other} and {name} are both in {file}: each has a file of its own"
            raise SirenError("database_shared", detail)


def _named_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    for service, file in sqlite_files(settings).items():
        name = settings.variable_of(service)
        yield (service if name is None else f"{service} ({name})"), file
