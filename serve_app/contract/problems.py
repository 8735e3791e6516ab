"""Errors as `application/problem+json` (RFC 9457): one table from exception to status.

What the gateway itself says is in `problem_types`.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from actors.contracts.errors import (
    Conflict,
    Damaged,
    Invalid,
    NotFound,
    PriceChanged,
    Rejected,
    SirenError,
    SoldOut,
    Unavailable,
    UnknownEvent,
)
from actors.runtime.message_codec import to_json
from serve_app.contract.problem_types import (
    AGAIN_SOON,
    DAMAGED,
    INVALID_REQUEST,
    MEDIA_TYPE,
    METHOD_NOT_ALLOWED,
    NO_SUCH_PATH,
    TOO_MANY_REQUESTS,
    UNKNOWN_OUTCOME,
    ProblemType,
)

MAX_FIELD_ERRORS = 20

STATUS: dict[type[SirenError], int] = {
    Rejected: 409,
    PriceChanged: 409,
    SoldOut: 409,
    Conflict: 409,
    Invalid: 422,
    NotFound: 404,
    Unavailable: 503,
    Damaged: 503,
    UnknownEvent: 503,
}
HTTP_PROBLEMS = {each.status: each for each in (NO_SUCH_PATH, METHOD_NOT_ALLOWED)}

# Where pydantic's own text says nothing to people.
MESSAGES = {"string_pattern_mismatch": "Has characters that are not allowed here"}

logger = logging.getLogger("siren")


def problem(
    kind: ProblemType, *, headers: Mapping[str, str] | None = None, **members: object
) -> Response:
    """Return a problem document; `members` are added to the standard ones, `headers` to its own."""
    body = to_json(kind.document() | members)
    return Response(body, kind.status, {**kind.headers, **(headers or {})}, MEDIA_TYPE)


def too_many(seconds: int) -> Response:
    """Return the problem of a caller who has to wait for so long, at least a second."""
    wait = {"Retry-After": str(seconds)}
    return problem(TOO_MANY_REQUESTS.filled(seconds=seconds), headers=wait)


class Refused(Exception):
    """Nothing was done; `response` says why."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def add_handlers(app: FastAPI) -> None:
    """Let all errors of the application end as problem documents; see `not_found` for 404, 405."""
    app.add_exception_handler(SirenError, _siren_error)
    app.add_exception_handler(ValidationError, _invalid_body)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(ClientDisconnect, _nobody_listens)


# Each handler is registered for one class, which Starlette's type for handlers cannot say.


async def _siren_error(_request: Request, error: Any) -> Response:
    status = STATUS.get(type(error))
    if status is None:
        raise error
    if isinstance(error, Unavailable):
        # Its detail is for operators: it may name hosts and files.
        logger.warning("unavailable: %s", error)
        detail = DAMAGED if isinstance(error, Damaged) else UNKNOWN_OUTCOME
        return problem(ProblemType(status, error.code, detail, AGAIN_SOON))
    kind = ProblemType(status, error.code, error.detail)
    if isinstance(error, Invalid):
        fault = {"pointer": error.pointer, "detail": error.detail}
        return problem(kind, errors=[fault])
    if isinstance(error, PriceChanged):
        return problem(kind, total=error.total)
    if isinstance(error, SoldOut):
        return problem(kind, menu_ids=error.menu_ids)
    return problem(kind)


async def _invalid_body(_request: Request, error: Any) -> Response:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return _invalid("The body", [(fault["loc"], _message(fault)) for fault in faults])


async def _invalid_request(_request: Request, error: Any) -> Response:
    # The first part says where: path, query or header.
    faults = [(fault["loc"][1:], _message(fault)) for fault in error.errors()]
    return _invalid("The request", faults)


def _invalid(what: str, faults: list[tuple[Any, str]]) -> Response:
    errors = [
        {"pointer": pointer(location), "detail": detail}
        for location, detail in faults[:MAX_FIELD_ERRORS]
    ]
    where = errors[0]["pointer"] or "all of it"
    kind = INVALID_REQUEST.filled(what=what, where=where, fault=errors[0]["detail"])
    return problem(kind, errors=errors)


def _message(fault: Mapping[str, Any]) -> str:
    return MESSAGES.get(fault["type"]) or str(fault["msg"])


def pointer(location: tuple[str | int, ...]) -> str:
    """Return the JSON pointer (RFC 6901) of a place in a document."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return "".join(f"/{part}" for part in parts)


def problem_of(error: HTTPException) -> Response:
    """Return the problem that an error of Starlette's stands for."""
    status = HTTPStatus(error.status_code)
    code = status.phrase.lower().replace(" ", "_")
    default = ProblemType(status.value, code, f"{status.phrase}.")
    return problem(HTTP_PROBLEMS.get(status.value, default), headers=error.headers)


async def _refused(_request: Request, error: Any) -> Response:
    response: Response = error.response
    return response


async def _nobody_listens(_request: Request, _error: Any) -> Response:
    return Response(status_code=400)
