"""Reading requests: bodies, queries, the headers of commands, and ids in paths."""

import re
from dataclasses import dataclass
from typing import TypeVar, cast
from urllib.parse import unquote_plus, unquote_to_bytes

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.convertors import Convertor, register_url_convertor

from actors.client import DEFAULT_WAIT_S
from actors.contracts.errors import Invalid
from actors.contracts.limits import MAX_KEY, MAX_WAIT_S
from serve_app.backend import Backend
from serve_app.contract.media_types import check_media_type
from serve_app.contract.member_names import check_member_names
from serve_app.contract.problems import pointer

MAX_NAME = 64
"""Characters of an unknown name that are told back."""

Body = TypeVar("Body", bound=BaseModel)
Query = TypeVar("Query", bound=BaseModel)

_VISIBLE = re.compile(rb"[!-~]{1,%d}" % MAX_KEY)
_WAIT = re.compile(rb'wait\s*=\s*"?([0-9]+)"?\s*(?:;.*)?')


class IdConvertor(Convertor[str]):
    """Path parameter `{name:id}`: anything that could be an id; other paths lead nowhere (404)."""

    regex = "[!-.0-~]{1,64}"

    def convert(self, value: str) -> str:
        """Return the id."""
        return value

    def to_string(self, value: str) -> str:
        """Return the part of the path."""
        return value


register_url_convertor("id", IdConvertor())


def siren_of(request: Request) -> Backend:
    """Return the client that the application was built with."""
    return cast(Backend, request.app.state.siren)


def read(request: Request, model: type[Body], default: Body | None = None) -> Body:
    """Return the validated body, `default` where it is empty and there is one.

    Raises pydantic's `ValidationError`, also for what is no JSON, `Refused` (415) for what says
    that it is something else, and `Invalid` where a member is there twice.
    """
    body: bytes = request.scope["body"]
    if not body and default is not None:
        return default
    check_media_type(request.scope["headers"])
    wanted = model.model_validate_json(body)
    check_member_names(body)
    return wanted


@dataclass(frozen=True, slots=True)
class CommandHeaders:
    """What the headers of a command ask for; `applied` tells which preference was followed."""

    key: str | None
    wait: float
    applied: dict[str, str]


_NO_PREFERENCE: dict[str, str] = {}


def command_headers(request: Request) -> CommandHeaders:
    """Return idempotency key and wait.

    Raises `Invalid` for a key that is not 1 to 255 visible ASCII characters. Preferences that are
    not understood are ignored (RFC 7240), and waits above 30 seconds become 30.
    """
    keys, preferences = [], []
    for name, value in request.scope["headers"]:
        if name == b"idempotency-key":
            keys.append(value)
        elif name == b"prefer":
            preferences.append(value)
    if len(keys) > 1 or (keys and not _VISIBLE.fullmatch(keys[0])):
        detail = f"Idempotency-Key must be one header of 1 to {MAX_KEY} visible ASCII characters."
        raise Invalid("invalid_header", detail, "/Idempotency-Key")
    key = keys[0].decode() if keys else None
    if not preferences:
        return CommandHeaders(key, DEFAULT_WAIT_S, _NO_PREFERENCE)
    wait, applied = _wait_preference(b",".join(preferences))
    return CommandHeaders(key, wait, {"Preference-Applied": applied} if applied else {})


def _wait_preference(preferences: bytes) -> tuple[float, str]:
    """Return the wait and the preference that gave it; `wait` says more than `respond-async`."""
    wanted = [preference.strip().lower() for preference in preferences.split(b",")]
    for preference in wanted:
        match = _WAIT.fullmatch(preference)
        if match:
            digits = match[1].lstrip(b"0")
            wait = MAX_WAIT_S if len(digits) > 2 else min(int(digits or b"0"), MAX_WAIT_S)  # noqa: PLR2004
            return wait, f"wait={wait}"
    if b"respond-async" in wanted:
        return 0, "respond-async"
    return DEFAULT_WAIT_S, ""


def read_query(request: Request, model: type[Query]) -> Query:
    """Return the validated query parameters; raises `RequestValidationError`."""
    try:
        # Most reads of an order have no query: they need not wait for an empty one to be parsed.
        given = dict(request.query_params) if request.scope["query_string"] else {}
        return model.model_validate(given)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError(
            [{**fault, "loc": ("query", *fault["loc"])} for fault in faults]
        ) from None


def check_query(request: Request, known: frozenset[str]) -> None:
    """Raise `Invalid` where a query parameter is unknown, or there twice: it would be ignored.

    And where one is not UTF-8: what stands for its bytes would be looked for in its place.
    """
    query: bytes = request.scope["query_string"]
    if not query:
        return
    seen = set()
    for name, _ in request.query_params.multi_items():
        if name not in known:
            detail = f"There is no such query parameter here; there {_listed(known)}."
            raise Invalid("unknown_parameter", detail, pointer((name[:MAX_NAME],)))
        if name in seen:
            detail = "A query parameter may be given only once."
            raise Invalid("repeated_parameter", detail, pointer((name,)))
        seen.add(name)
    if b"%" in query or not query.isascii():
        _check_text(query)


def _check_text(query: bytes) -> None:
    """Raise `Invalid` where a value of a query, whose names are known, is not UTF-8."""
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        try:
            unquote_to_bytes(value.decode("ascii")).decode()
        except ValueError:
            detail = "A query parameter has to be UTF-8, percent-encoded."
            raise Invalid(
                "invalid_request", detail, pointer((unquote_plus(name.decode()),))
            ) from None


def _listed(known: frozenset[str]) -> str:
    return f"are {', '.join(sorted(known))}" if known else "is none at all"
