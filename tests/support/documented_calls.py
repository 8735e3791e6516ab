"""Calls made up from the OpenAPI document, handed to the application, and their answers judged."""

import asyncio
import gzip
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import requests
import schemathesis
from fastapi import FastAPI
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode, Response
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from tests.support.routes import http_scope

BASE = "http://localhost"
MODES = list(GenerationMode)
# What no schema can say. For the rest, the schemas are taken at their word.
DEPENDING = ("invalid_cursor", "idempotency_mismatch", "reserved_reason")
NO_INTEGER = "Input should be a valid integer"  # 10.0 is one to JSON Schema
OF_PEOPLE = ("/customer/id", "/customer/name", "/customer/tel", "/reason", "/customer_id")
PATIENCE_S = 60.0
AnyCase = Case[Any]


class DocumentedCalls:
    """What the document of an application allows, and what it does not.

    `any`: calls of any kind, as documented, or with something in them that is not. Where `open`,
    nobody needs a token, whatever the document says.
    """

    def __init__(self, app: FastAPI, *, open: bool) -> None:  # noqa: A002
        self._app = app
        document = deepcopy(app.openapi())
        for operations in document["paths"].values() if open else ():
            for operation in operations.values():
                operation["security"] = []
        self._schema = schemathesis.openapi.from_dict(document)
        self.any: dict[GenerationMode, SearchStrategy[AnyCase]] = {
            mode: self._schema.as_strategy(mode) for mode in MODES
        }

    def boundaries(self) -> Iterator[AnyCase]:
        """Yield, for each call, the least and the most that it takes, and what lies just beyond."""
        for found in self._schema.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            yield from self._schema.iter_coverage_cases(
                operation,
                generation_modes=MODES,
                generation_config=self._schema.config.generation_for(operation=operation),
            )

    async def make(self, case: AnyCase, headers: dict[str, str], ids: dict[str, str]) -> None:
        """Make a call as somebody, with `ids` in its path; raises where the answer is wrong.

        Wrong is whatever the document does not say of it: status, media type, headers, schema; a
        refusal of what it allows, and an acceptance of what it does not.
        """
        for name in case.path_parameters.keys() & ids.keys():
            case.path_parameters[name] = ids[name]
        request = _prepared(case, headers)
        if request is None:
            return
        response = await answer(self._app, request)
        assert response.status_code < 500 or _is_of_no_known_method(response), request.method
        if response.status_code < 500:
            unsaid = [positive_data_acceptance] if _is_beyond_a_schema(response) else []
            case.validate_response(response, excluded_checks=[ignored_auth, *unsaid])


def _prepared(case: AnyCase, headers: dict[str, str]) -> requests.PreparedRequest | None:
    """Return the request as it would be sent, None for what no client can send."""
    given = case.as_transport_kwargs(BASE, headers=dict(headers))
    try:
        return requests.Request(**{k: v for k, v in given.items() if v is not None}).prepare()
    except (ValueError, UnicodeError):
        return None


def _is_of_no_known_method(response: Response) -> bool:
    return response.status_code == 501 and response.request.method == "QUERY"


def _is_beyond_a_schema(response: Response) -> bool:
    if response.status_code == 402:  # whether a card is declined
        return True
    if response.status_code != 422:
        return False
    problem = response.json()
    return problem["code"] in DEPENDING or all(
        each["detail"] == NO_INTEGER or each["pointer"] in OF_PEOPLE for each in problem["errors"]
    )


async def answer(app: Any, request: requests.PreparedRequest) -> Response:
    """Return what an application answers; of a stream, what comes first."""
    parts = urlsplit(str(request.url))
    body = request.body or b""
    headers = [(b"host", b"localhost")]
    headers += [(_bytes(name).lower(), _bytes(value)) for name, value in request.headers.items()]
    scope = {
        "method": request.method,
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": headers,
    }
    start, *pieces = await exchange(
        app, scope, body.encode() if isinstance(body, str) else cast(bytes, body)
    )
    answered: dict[str, list[str]] = {}
    for name, value in start["headers"]:
        answered.setdefault(name.decode(), []).append(value.decode("latin-1"))
    content = b"".join(piece.get("body", b"") for piece in pieces)
    if answered.pop("content-encoding", None) == ["gzip"]:
        content = gzip.decompress(content)
    return Response(start["status"], answered, content, request, 0.0, verify=True)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


async def exchange(app: Any, scope: dict[str, Any], body: bytes = b"") -> list[dict[str, Any]]:
    """Return the messages of an answer; whoever asks leaves when a part of its body has come."""
    whole = http_scope(scope)
    sent: list[dict[str, Any]] = []
    left = asyncio.Event()
    requested = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not requested:
            await left.wait()
            return {"type": "http.disconnect"}
        return requested.pop()

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and message.get("body"):
            left.set()

    async with asyncio.timeout(PATIENCE_S):
        await app(whole, receive, send)
    return sent
