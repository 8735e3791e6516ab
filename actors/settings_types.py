"""What settings may be, beyond plain numbers and texts. Knows no setting."""

import re
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

LOWEST_PORT, HIGHEST_PORT = 1024, 65535
ORIGIN = re.compile(r"\*|https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?")

Value = TypeVar("Value")
LIVE = "live"
Live = Annotated[Value, LIVE]
"""A setting that may change while the system runs; all others take a restart."""


def _named(value: object) -> object:
    if value == "":  # a variable that was meant to be set: not the folder one happens to be in
        raise ValueError("must name a folder")
    return value


def _are_ports(value: str) -> str:
    first, _, last = value.partition("-")
    known = all(each.isascii() and each.isdigit() for each in (first, last))
    if not known or not LOWEST_PORT <= int(first) <= int(last) <= HIGHEST_PORT:
        raise ValueError(f"must be two ports, {LOWEST_PORT} to {HIGHEST_PORT}: 31000-31099")
    return value


def _split(value: object) -> object:
    return tuple(filter(None, value.split(","))) if isinstance(value, str) else value


def _are_origins(value: tuple[str, ...]) -> tuple[str, ...]:
    for origin in value:
        if not ORIGIN.fullmatch(origin):
            raise ValueError(f"takes origins like https://example.org, not {origin!r}")
    return value


Folder = Annotated[Path, BeforeValidator(_named)]
Ports = Annotated[str, AfterValidator(_are_ports)]
"""The first and the last of some ports."""
Origins = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_are_origins)
]
"""Origins of web pages, as https://example.org, or `*`; a text has commas between them."""
