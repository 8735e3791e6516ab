"""Successful answers. Order details come as ready bytes and are not parsed again."""

import msgspec
from fastapi import Response

from actors.codec import to_json
from actors.messages import OrderReply
from actors.paging import Page
from serve_app.reading import CommandHeaders

JSON = "application/json"
REPLAYED = {"Idempotency-Replayed": "true"}


def json_answer(value: object, status: int = 200) -> Response:
    """Return a value as JSON."""
    return Response(to_json(value), status, media_type=JSON)


def detail_answer(detail: bytes) -> Response:
    """Return a ready order detail."""
    return Response(detail, media_type=JSON)


def command_answer(reply: OrderReply, asked: CommandHeaders, status: int = 200) -> Response:
    """Return the order after a command."""
    return Response(reply.detail, status, asked.applied, JSON)


def page_answer(page: Page) -> Response:
    """Return a page of rows."""
    return json_answer({"items": page.items, "next_cursor": page.next_cursor})


def empty_page_answer() -> Response:
    """Return a page with nothing on it."""
    return page_answer(Page([], None))


def detail_page_answer(page: Page) -> Response:
    """Return a page whose items are ready order details."""
    items = [msgspec.Raw(body.encode()) for body in page.items]
    return json_answer({"items": items, "next_cursor": page.next_cursor})
