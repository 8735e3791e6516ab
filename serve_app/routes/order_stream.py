"""The stream of an order's changes, as Server-Sent Events from the view."""

import math
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from actors.contracts.errors import Unavailable
from actors.contracts.values import OrderStatus
from readmodel.queries import DetailRow
from serve_app.backend import Backend
from serve_app.contract.openapi import problems
from serve_app.contract.requests import siren_of
from serve_app.middleware.concurrency_limits import current
from serve_app.routing.access_route import EVERYBODY, AccessRoute, allow
from serve_app.security.authentication import caller
from serve_app.security.order_scope import check_order

router = APIRouter(tags=["orders"], route_class=AccessRoute)

PATIENCE_S = 60.0
"""How long one look for changes lasts; nothing depends on it, the stream goes on."""
FINAL = (OrderStatus.PICKED_UP, OrderStatus.CANCELED)


class NothingToCome(Exception):
    """The client has seen all there will ever be."""


class _Status(msgspec.Struct):
    order_status: str


_status_of = msgspec.json.Decoder(_Status)


@dataclass(frozen=True, slots=True)
class Follower:
    """Somebody who follows an order, has seen it up to `version`, and may until a token ends.

    That is at `expires_at`, in seconds since 1970, and no later than `ends_at` of the monotonic
    clock, so that a clock that is set back prolongs nothing.
    """

    siren: Backend
    order_id: str
    version: int
    expires_at: float
    ends_at: float

    def patience(self) -> float:
        """Return how long the next look for changes lasts; not above 0 where none is allowed."""
        left = min(self.expires_at - time.time(), self.ends_at - time.monotonic())
        return min(PATIENCE_S, left)


async def follower(request: Request, order_id: str) -> Follower:
    """Return who asks; raises `NotFound`, or `NothingToCome`, while a status can still be sent."""
    await check_order(request, order_id)
    place = current()
    if place is not None:
        place.become_stream(caller(request))
    siren, expires_at = siren_of(request), caller(request).expires_at or math.inf
    ends_at = time.monotonic() + expires_at - time.time()
    row = await siren.details.get(order_id)
    if row is None:
        await siren.order(order_id)  # placed a moment ago, and the view will have it soon
        return Follower(siren, order_id, 0, expires_at, ends_at)
    # An id above the view's was never sent from here: nobody has seen what is not there yet.
    seen = min(_last_event_id(request), row.version)
    if seen == row.version and _is_final(row):
        raise NothingToCome
    return Follower(siren, order_id, seen, expires_at, ends_at)


@router.get(
    "/orders/{order_id:id}/stream",
    response_class=EventSourceResponse,
    responses={
        200: {"description": "Events named `order`; `id` is the version, `data` the order detail."},
        204: {"description": "`Last-Event-ID` is the last version there will be: stop asking."},
        **problems(404),
    },
    openapi_extra={
        "parameters": [
            {
                "name": "Last-Event-ID",
                "in": "header",
                "description": "Version that was seen last; only what is newer is sent.",
                "schema": {"type": "string"},
            }
        ]
    },
)
@allow(*EVERYBODY)
async def stream_order(
    following: Annotated[Follower, Depends(follower)],
) -> AsyncIterator[ServerSentEvent]:
    """Follow an order: its detail at once, and again at each change, until it is finished.

    Changes that come quickly after one another may be sent as one. The stream ends with the token,
    and where the replica that serves it is about to leave.
    """
    version = following.version
    watcher = following.siren.watcher
    while (patience := following.patience()) > 0:
        try:
            row = await watcher.wait_beyond(following.order_id, version, patience)
        except Unavailable:
            return  # whoever still wants to know connects again, with the id of the last event
        if row is not None:
            version = row.version
            yield ServerSentEvent(raw_data=row.body, event="order", id=str(version))
            if _is_final(row):
                return
        elif watcher.released:
            return


def add_handler(app: FastAPI) -> None:
    """Let `NothingToCome` end as 204, which makes a browser's EventSource stop."""

    async def nothing_to_come(_request: Request, _error: Exception) -> Response:
        return Response(status_code=204)

    app.add_exception_handler(NothingToCome, nothing_to_come)


def _last_event_id(request: Request) -> int:
    """Return the version that was seen last; 0 where the header is absent or no version."""
    value = request.headers.get("last-event-id", "")
    return int(value) if len(value) <= 10 and value.isascii() and value.isdigit() else 0  # noqa: PLR2004


def _is_final(row: DetailRow) -> bool:
    return _status_of.decode(row.body).order_status in FINAL
