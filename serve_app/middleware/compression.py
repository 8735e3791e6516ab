"""Long answers are compressed for whoever takes that."""

import zlib
from typing import cast

from fastapi import Response
from starlette.types import Message, Receive, Scope, Send

from serve_app.contract.negotiation import GZIP, coding, refuses_identity

LEAST = 1024
"""Bytes. An order alone is shorter: it is sent as it is, since nothing is read as often."""
LEVEL = 5
AS_GZIP = 16 + zlib.MAX_WBITS
VARY = (b"vary", b"Accept-Encoding")


def sent_shorter(scope: Scope, response: Response) -> Response:
    """Return what sends an answer, compressed where it is long or the client takes nothing else."""
    length = len(getattr(response, "body", b""))
    if length >= LEAST or (length and refuses_identity(scope)):
        return cast(Response, Compressed(response))  # FastAPI does nothing with it but call it
    return response


class Compressed:
    """An answer that is compressed on its way, if the client takes it so. 304 stays what it is."""

    def __init__(self, response: Response) -> None:
        self._response = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        start: Message = {}

        async def compressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                start["headers"] = [*message["headers"], VARY]
                return
            body = message["body"]
            if body and coding(scope) == GZIP:
                body = compress(body)
                start["headers"] = _coded(start["headers"], len(body))
            await send(start)
            await send({**message, "body": body})

        await self._response(scope, receive, compressed)


def compress(body: bytes) -> bytes:
    """Return a body as gzip has it, the same bytes each time."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, AS_GZIP)
    return compressor.compress(body) + compressor.flush()


def _coded(headers: list[tuple[bytes, bytes]], length: int) -> list[tuple[bytes, bytes]]:
    others = [pair for pair in headers if pair[0] != b"content-length"]
    return [
        (b"content-length", str(length).encode()),
        (b"content-encoding", GZIP.encode()),
        *others,
    ]
