"""What HAProxy answers itself: whole responses in files, worded and headed as the gateway's own."""

from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

from fastapi import Response

from cluster.running.haproxy_config import (
    LARGEST_BODY,
    LARGEST_FIELDS,
    LONGEST_ADDRESS,
    MOST_FIELDS,
    answer_file,
)
from serve_app.contract.problem_types import (
    ADDRESS_TOO_LONG,
    BAD_REQUEST,
    BODY_TOO_LARGE,
    BODY_TOO_LATE,
    CLOSE,
    FIELDS_TOO_LARGE,
    NO_ANSWER,
    NOT_IMPLEMENTED,
    OVERLOADED,
    STARTING,
    VERSION_NOT_SUPPORTED,
)
from serve_app.contract.problems import problem
from serve_app.middleware.security_headers import ALWAYS, UNLESS_SET

ALLOWED = "GET, HEAD, POST, PATCH, DELETE, OPTIONS"
"""What some address of the system takes: the answer to `OPTIONS *`."""
BODY_S = 10.0


def write_answers(folder: Path) -> None:
    """Write each answer to the file in which HAProxy's configuration looks for it."""
    for name, answer in _answers().items():
        answer_file(folder, name).write_bytes(_raw(answer))


def _answers() -> dict[str, Response]:
    kinds = (
        VERSION_NOT_SUPPORTED,
        NOT_IMPLEMENTED,
        BAD_REQUEST,
        ADDRESS_TOO_LONG.filled(most=LONGEST_ADDRESS),
        FIELDS_TOO_LARGE.filled(bytes=LARGEST_FIELDS, lines=MOST_FIELDS),
        STARTING,
        OVERLOADED,
        NO_ANSWER,
        BODY_TOO_LATE.filled(seconds=BODY_S),
        replace(BODY_TOO_LARGE.filled(most=LARGEST_BODY), headers=CLOSE),
    )
    return {
        "methods": Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": ALLOWED}),
        **{kind.code: problem(kind) for kind in kinds},
    }


def _raw(answer: Response) -> bytes:
    status = HTTPStatus(answer.status_code)
    headers = [*answer.raw_headers, *ALWAYS, *UNLESS_SET.items()]
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}".encode(),
        *(name + b": " + value for name, value in headers),
    ]
    return b"\r\n".join([*lines, b"", bytes(answer.body)])
