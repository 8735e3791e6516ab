"""One HTTP request on a connection of its own, and its answer."""

import asyncio
import json
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """An HTTP answer; `body` is parsed where it is JSON."""

    status: int
    body: Any


async def ask(host: str, port: int, request: bytes) -> Answer:
    """Send a request that ends its connection; raises `OSError` where no answer comes."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        raw = await reader.read()
    finally:
        writer.close()
    if not raw:
        question = request.partition(b" HTTP/")[0].decode()
        raise ConnectionResetError(f"{question}: closed without an answer")
    head, _, payload = raw.partition(b"\r\n\r\n")
    is_json = b"json" in head.lower().partition(b"content-type:")[2].partition(b"\r")[0]
    return Answer(int(head[9:12]), json.loads(payload) if is_json else payload)
