"""Errors as `application/problem+json` (RFC 9457): one table from exception to status."""

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
)
from actors.runtime.wire import to_json

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = {"Retry-After": "1"}
MAX_FIELD_ERRORS = 20
UNKNOWN_OUTCOME = "The outcome is not known yet. Repeat the request with the same Idempotency-Key."
DAMAGED = "What is stored of this cannot be read at the moment; the operator has been told."

STATUS: dict[type[SirenError], int] = {
    Rejected: 409,
    PriceChanged: 409,
    SoldOut: 409,
    Conflict: 409,
    Invalid: 422,
    NotFound: 404,
    Unavailable: 503,
    Damaged: 503,
}
HTTP_PROBLEMS = {
    404: ("not_found", "There is nothing at this path."),
    405: ("method_not_allowed", "This path does not take this method."),
}

# Where pydantic's own text says nothing to people.
MESSAGES = {"string_pattern_mismatch": "Has characters that are not allowed here"}

logger = logging.getLogger("siren")


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    **members: object,
) -> Response:
    """Return a problem document; `members` are added to the standard ones."""
    body = {
        "type": f"urn:problem-type:siren:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        **members,
    }
    return Response(to_json(body), status, headers, MEDIA_TYPE)


def too_large(limit: int) -> Response:
    """Return the problem of a body of more than `limit` bytes."""
    return problem(413, "body_too_large", f"The body may have at most {limit} bytes.")


def overloaded() -> Response:
    """Return the problem of a request that was not even begun."""
    detail = "Too many requests are under way; nothing was done."
    return problem(503, "overloaded", detail, headers=RETRY_AFTER)


def body_too_late(seconds: float) -> Response:
    """Return the problem of a body that was not there after `seconds`; closes the connection."""
    detail = f"The whole body has to arrive within {seconds:g} s; nothing was done."
    return problem(408, "body_too_late", detail, headers={"Connection": "close"})


def internal_error() -> Response:
    """Return the problem that is our own fault."""
    return problem(500, "internal_error", "The request failed unexpectedly.")


def unauthenticated(detail: str, *, error: str | None = None) -> Response:
    """Return the problem of a caller who is not known; `error` as in RFC 6750."""
    challenge = "Bearer" if error is None else f'Bearer error="{error}"'
    return problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": challenge})


def forbidden(code: str, detail: str) -> Response:
    """Return the problem of a caller who is known and may not do this."""
    return problem(403, code, detail)


def too_many(seconds: int) -> Response:
    """Return the problem of a caller who has to wait for so long, at least a second."""
    detail = f"Too many requests; try again in {seconds} s."
    return problem(429, "too_many_requests", detail, headers={"Retry-After": str(seconds)})


def not_acceptable(media_type: str, *, coded: bool = True) -> Response:
    """Return the problem of a client that takes nothing that there is; see `offered`."""
    detail = offered(media_type, coded=coded)
    return problem(406, "not_acceptable", detail, headers={"Vary": "Accept, Accept-Encoding"})


def offered(media_type: str, *, coded: bool) -> str:
    """Return in words what there is: a media type, and whether it is compressed for who asks."""
    return f"This is answered as {media_type}, as it is{' or as gzip' if coded else ' alone'}."


WEAK_TAGS = (
    "All tags here are weak, and If-Match compares strongly: it is met by * alone, where the thing "
    "exists. Nothing was done."
)


def precondition_failed(detail: str) -> Response:
    """Return the problem of a request that is not to be carried out on what is there now."""
    return problem(412, "precondition_failed", detail)


def unsupported_media_type() -> Response:
    """Return the problem of a body that says it is no JSON in UTF-8."""
    detail = "The body has to be application/json in UTF-8."
    headers = {"Accept": "application/json"}
    return problem(415, "unsupported_media_type", detail, headers=headers)


def unsupported_coding() -> Response:
    """Return the problem of a body that is compressed (RFC 9110, section 12.5.3)."""
    detail = "The body has to be sent as it is, without a content coding."
    headers = {"Accept-Encoding": "identity"}
    return problem(415, "unsupported_coding", detail, headers=headers)


def too_many_at_once(most: int) -> Response:
    """Return the problem of a subject who has `most` requests under way already."""
    detail = f"You have {most} requests under way; try again once one of them is answered."
    return problem(429, "too_many_at_once", detail, headers=RETRY_AFTER)


def too_many_streams(most: int) -> Response:
    """Return the problem of a subject who keeps `most` streams open already."""
    detail = f"You keep {most} streams open; close one of them first."
    return problem(429, "too_many_streams", detail, headers=RETRY_AFTER)


class Refused(Exception):
    """Nothing was done; `response` says why."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


def add_handlers(app: FastAPI) -> None:
    """Let every error of the application end as a problem document; see `nowhere` for 404, 405."""
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
        return problem(status, error.code, detail, headers=RETRY_AFTER)
    if isinstance(error, Invalid):
        fault = {"pointer": error.pointer, "detail": error.detail}
        return problem(status, error.code, error.detail, errors=[fault])
    if isinstance(error, PriceChanged):
        return problem(status, error.code, error.detail, total=error.total)
    if isinstance(error, SoldOut):
        return problem(status, error.code, error.detail, menu_ids=error.menu_ids)
    return problem(status, error.code, error.detail)


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
    detail = f"{what} is not valid, at {where}: {errors[0]['detail']}."
    return problem(422, "invalid_request", detail, errors=errors)


def _message(fault: Mapping[str, Any]) -> str:
    return MESSAGES.get(fault["type"]) or str(fault["msg"])


def pointer(location: tuple[str | int, ...]) -> str:
    """Return the JSON pointer (RFC 6901) of a place in a document."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in location)
    return "".join(f"/{part}" for part in parts)


def problem_of(error: HTTPException) -> Response:
    """Return the problem that an error of Starlette's stands for."""
    phrase = HTTPStatus(error.status_code).phrase
    default = (phrase.lower().replace(" ", "_"), f"{phrase}.")
    code, detail = HTTP_PROBLEMS.get(error.status_code, default)
    return problem(error.status_code, code, detail, headers=dict(error.headers or {}))


async def _refused(_request: Request, error: Any) -> Response:
    response: Response = error.response
    return response


async def _nobody_listens(_request: Request, _error: Any) -> Response:
    return Response(status_code=400)
