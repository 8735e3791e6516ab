"""The file of settings that `SIREN_CONFIG` names: TOML, the names in small letters without SIREN_.

The environment goes before it. Whoever writes a name or a type wrong is told so.
"""

import difflib
import logging
import os
import tomllib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic_settings import BaseSettings, InitSettingsSource

from actors.contracts.errors import SirenError

CONFIG = "SIREN_CONFIG"
NUMBERS = {bool: "true or false", int: "a whole number", float: "a number"}

logger = logging.getLogger("siren")


class SettingsFile(InitSettingsSource):
    """What the file has, as a source of settings; nothing where no file is named.

    Raises `SirenError`, which names the file, where it cannot be used.
    """

    def __init__(self, settings: type[BaseSettings]) -> None:
        file = settings_file()
        super().__init__(settings, {} if file is None else _read(file, settings))


def settings_file() -> Path | None:
    """Return the file that the environment names; None where it names none."""
    named = os.environ.get(CONFIG)
    if named == "":  # a variable that was meant to be set
        raise SirenError("no_settings_file", f"{CONFIG} must name a file")
    return None if named is None else Path(named).expanduser().absolute()


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return which of some names was meant, as a typing error would have it; None: none of them."""
    return next(iter(difflib.get_close_matches(name, list(names), 1)), None)


def keep_private(file: Path) -> None:
    """Let nobody else read a file that holds secrets; tell where they can all the same."""
    facts = file.stat()
    if facts.st_uid == os.geteuid() and facts.st_mode & 0o077:
        with suppress(OSError):  # of a disk that is only read, say
            file.chmod(0o600)
    if file.stat().st_mode & 0o007:
        logger.warning("%s, which holds secrets, is open to everybody: chmod 600 it", file)


def unreadable(file: Path, error: Exception) -> SirenError:
    """Return the error that says why a file of settings cannot be read."""
    reason = getattr(error, "strerror", None) or "it is no text"
    return SirenError("unreadable_settings", f"cannot read the settings in {file}: {reason}")


def _read(file: Path, settings: type[BaseSettings]) -> dict[str, Any]:
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        detail = f"there is no file {file}, which {CONFIG} names"
        raise SirenError("no_settings_file", detail) from error
    except tomllib.TOMLDecodeError as error:
        detail = f"{file} is no TOML: {error}"
        raise SirenError("unreadable_settings", detail) from error
    except (OSError, UnicodeError) as error:
        raise unreadable(file, error) from error
    fields = settings.model_fields
    if strange := [_strange(name, fields) for name in found.keys() - fields.keys()]:
        detail = f"{file} has what is no setting: {', '.join(sorted(strange))}"
        raise SirenError("no_setting", detail)
    for name, value in found.items():
        _check_type(file, name, value, fields[name].annotation)
    if any(SecretStr in get_args(fields[name].annotation) for name in found):
        keep_private(file)
    return found


def _strange(name: str, names: Iterable[str]) -> str:
    wanted = nearest(name.lower().removeprefix("siren_"), names)
    return name if wanted is None else f"{name} (did you mean {wanted}?)"


def _check_type(file: Path, name: str, value: object, wanted: Any) -> None:
    """Refuse what pydantic would make a number of in silence: texts, and true for 1."""
    if wanted not in NUMBERS:
        return
    if isinstance(value, str) or isinstance(value, bool) != (wanted is bool):
        detail = f"{name} in {file} must be {NUMBERS[wanted]}, without quotes"
        raise SirenError("wrong_setting", detail)
