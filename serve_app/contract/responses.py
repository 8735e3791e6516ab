"""Successful answers. Order details come as ready bytes and are not parsed again."""

from http import HTTPStatus

import msgspec
from fastapi import Response
from starlette.types import Receive, Scope, Send

from actors.contracts.messages import OrderReply
from actors.runtime.message_codec import to_json
from actors.runtime.paging import Page
from serve_app.contract.requests import CommandHeaders
from serve_app.contract.validators import is_known, tag_of

JSON = "application/json"
REPLAYED = {"Idempotency-Replayed": "true"}
KEPT = [(b"cache-control", b"private, no-cache"), (b"vary", b"Authorization")]


class Revalidated(Response):
    """JSON that a browser may keep, and asks about again each time: 304 where it has not changed.

    Kept by the caller alone, and for the `Authorization` that it was read with.
    """

    media_type = JSON

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say that nothing has changed."""
        if scope["method"] in ("GET", "HEAD") and self.status_code == HTTPStatus.OK:
            tag = tag_of(self.body)
            validators = [(b"etag", tag), *KEPT]
            if is_known(scope, tag):
                await send({"type": "http.response.start", "status": 304, "headers": validators})
                await send({"type": "http.response.body", "body": b""})
                return
            self.raw_headers += validators
        await super().__call__(scope, receive, send)


def json_answer(value: object, status: int = 200) -> Response:
    """Return a value as JSON."""
    return Response(to_json(value), status, media_type=JSON)


def resource_answer(value: object) -> Response:
    """Return what was read, as JSON."""
    return Revalidated(to_json(value))


def detail_answer(detail: bytes) -> Response:
    """Return a ready order detail that was read."""
    return Revalidated(detail)


def command_answer(reply: OrderReply, asked: CommandHeaders, status: int = 200) -> Response:
    """Return the order after a command; a header says where it was done before, by whomever."""
    headers = asked.applied | REPLAYED if reply.replayed else asked.applied
    return Response(reply.detail, status, headers, JSON)


def page_answer(page: Page) -> Response:
    """Return a page of rows."""
    return resource_answer({"items": page.items, "next_cursor": page.next_cursor})


def empty_page_answer() -> Response:
    """Return a page with nothing on it."""
    return page_answer(Page([], None))


def detail_page_answer(page: Page) -> Response:
    """Return a page whose items are ready order details."""
    items = [msgspec.Raw(body.encode()) for body in page.items]
    return resource_answer({"items": items, "next_cursor": page.next_cursor})
