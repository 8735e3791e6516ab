"""What HAProxy answers itself: whole responses in files, worded and headed as the gateway's own."""

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
from serve_app.contract.problems import RETRY_AFTER, body_too_late, problem, too_large
from serve_app.middleware.security_headers import ALWAYS, UNLESS_SET

ALLOWED = "GET, HEAD, POST, PATCH, DELETE, OPTIONS"
"""What some address of the system takes: the answer to `OPTIONS *`."""
CLOSE = {"Connection": "close"}
"""Where nobody knows, or waits for, the end of the request."""
BODY_S = 10.0

NO_METHOD = "This is no method that anything here knows."
NO_HTTP = "This is not HTTP/1.1 as RFC 9112 has it."
NO_VERSION = "This speaks HTTP/1.1 and 1.0, not the version that the request names."
TOO_LONG = f"An address may have {LONGEST_ADDRESS} bytes."
TOO_MUCH = f"A request may have {LARGEST_FIELDS} bytes and {MOST_FIELDS} lines of header fields."
STARTING = "No replica answers yet; nothing was done. Try again in a moment."
UNKNOWN_OUTCOME = (
    "The outcome is not known. Repeat the request; a command with the same Idempotency-Key."
)


def write_answers(folder: Path) -> None:
    """Write each answer to the file in which HAProxy's configuration looks for it."""
    for name, answer in _answers().items():
        answer_file(folder, name).write_bytes(_raw(answer))


def _answers() -> dict[str, Response]:
    problems = [
        (505, "version_not_supported", NO_VERSION, CLOSE),
        (501, "not_implemented", NO_METHOD, None),
        (400, "bad_request", NO_HTTP, CLOSE),
        (414, "address_too_long", TOO_LONG, None),
        (431, "fields_too_large", TOO_MUCH, None),
        (503, "starting", STARTING, RETRY_AFTER),
        (503, "unavailable", UNKNOWN_OUTCOME, RETRY_AFTER),
    ]
    large = too_large(LARGEST_BODY)
    large.headers.update(CLOSE)
    return {
        "methods": Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": ALLOWED}),
        "body_too_large": large,
        "body_too_late": body_too_late(BODY_S),
        **{code: problem(status, code, detail, headers=h) for status, code, detail, h in problems},
    }


def _raw(answer: Response) -> bytes:
    status = HTTPStatus(answer.status_code)
    headers = [*answer.raw_headers, *ALWAYS, *UNLESS_SET.items()]
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}".encode(),
        *(name + b": " + value for name, value in headers),
    ]
    return b"\r\n".join([*lines, b"", bytes(answer.body)])
