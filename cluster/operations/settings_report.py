"""What `siren config` lists: each setting, where it came from, and no secret."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr
from sqlalchemy.exc import ArgumentError

from actors.runtime.database_faults import name_of
from actors.runtime.live_settings import LiveValues, with_live
from actors.settings import Settings, is_live, variable
from cluster.running.reading_settings import GIVEN

DEFAULT = "default"
SET_LIVE = "set live"
HIDDEN = "set, and not shown"
HELD = (
    *("host", "port", "metrics_port"),
    *("data_dir", "database_url", "journal_url", "payments_url", "stores_url", "readmodel_url"),
)
"""What a deploy refuses to change: `siren up` itself holds it, or data would have to be moved."""
Takes = Literal["deploy", "restart"]
Shown = str | int | float | bool | list[str] | None


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as people may see it; `live`: it may change while the system runs.

    `takes`: what changes it otherwise, a deploy with the new value or another start. Where it is
    set live, `since` says when, in RFC 3339, and `without` what it is otherwise.
    """

    name: str
    variable: str
    value: Shown
    default: Shown
    origin: str
    live: bool
    takes: Takes | None
    meaning: str
    since: str | None
    without: Shown


def settings_of(settings: Settings, live: LiveValues) -> list[Setting]:
    """Return all settings as they are with what is set live, in the order of their definition."""
    now, refused = with_live(settings, live)
    found = []
    for name, field in Settings.model_fields.items():
        is_set = name in live.values and name not in refused
        found.append(
            Setting(
                name=name,
                variable=variable(name),
                value=shown(name, getattr(now, name)),
                default=shown(name, field.default),
                origin=SET_LIVE if is_set else _origin(settings, name),
                live=is_live(name),
                takes=takes(name),
                meaning=field.description or "",
                since=live.values[name].since.isoformat(timespec="seconds") if is_set else None,
                without=shown(name, getattr(settings, name)),
            )
        )
    return found


def takes(name: str) -> Takes | None:
    """Return what a setting takes to be another one; None where it changes live."""
    if is_live(name):
        return None
    return "restart" if name in HELD else "deploy"


def shown(name: str, value: Any) -> Shown:
    """Return a setting's value without what is secret in it: passwords, keys, parts of URLs."""
    if SecretStr in get_args(Settings.model_fields[name].annotation):
        return None if value is None else _place(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _without_user(value)
    if isinstance(value, Iterable):
        return [_without_user(str(each)) for each in value]
    return str(value)


def text_of(value: Shown) -> str:
    """Return a shown value as one word or sentence."""
    if isinstance(value, list):
        return ",".join(value) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "unset" if value is None else str(value)


def _origin(settings: Settings, name: str) -> str:
    if name in settings.origins:
        return settings.origins[name]
    return GIVEN if name in settings.model_fields_set else DEFAULT


def _place(secret: SecretStr) -> str:
    """Return which database a URL leads to; of anything else, only that it is there."""
    text = secret.get_secret_value()
    if "://" not in text:
        return HIDDEN
    try:
        return name_of(text)
    except (ArgumentError, ValueError):  # no URL: what it is, is said where it is used
        return HIDDEN


def _without_user(text: str) -> str:
    """Return a text; a URL without user, password, query and fragment."""
    if "://" not in text:
        return text
    try:
        url = urlsplit(text)
    except ValueError:
        return HIDDEN
    return urlunsplit((url.scheme, url.netloc.rpartition("@")[2], url.path, "", ""))
