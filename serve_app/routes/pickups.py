"""Pickups: the store's tickets, and the barista's buttons."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from serve_app.contract import request_schemas, response_schemas
from serve_app.contract.openapi import Responses, answer, problems, takes
from serve_app.contract.requests import CommandHeaders, command_headers, read, siren_of
from serve_app.contract.responses import command_answer, empty_page_answer, page_answer
from serve_app.routing.access_route import OWNER, SERVICE, STAFF, AccessRoute, allow
from serve_app.security.order_scope import check_order, in_scope

router = APIRouter(tags=["pickups"], route_class=AccessRoute)

MOVED: Responses = {
    200: answer(response_schemas.OrderDetail, "Done, now or before."),
    **problems(404, 409, 422),
}
BUTTON = takes(request_schemas.Nothing, required=False)


@router.get(
    "/pickups",
    responses={
        200: answer(
            response_schemas.Page[response_schemas.Ticket], "Those that match all filters."
        ),
        **problems(422),
    },
)
@allow(STAFF, OWNER, SERVICE)
async def list_pickups(
    request: Request, wanted: Annotated[request_schemas.TicketFilter, Query()]
) -> Response:
    """List tickets, oldest first; for staff, those of their store."""
    filters = in_scope(request, wanted.model_dump())
    if filters is None:
        return empty_page_answer()
    return page_answer(await siren_of(request).stores.tickets(**filters))


@router.post("/pickups/{order_id:id}/start", responses=MOVED, openapi_extra=BUTTON)
@allow(STAFF, OWNER, SERVICE)
async def start_pickup(request: Request, order_id: str) -> Response:
    """Begin to prepare an ACCEPTED order; from now on the customer cannot cancel it."""
    asked = _pressed(request)
    await check_order(request, order_id)
    reply = await siren_of(request).start(order_id, asked.key, asked.wait)
    return command_answer(reply, asked)


@router.post("/pickups/{order_id:id}/ready", responses=MOVED, openapi_extra=BUTTON)
@allow(STAFF, OWNER, SERVICE)
async def ready_pickup(request: Request, order_id: str) -> Response:
    """Call the number of an order that is PREPARING."""
    asked = _pressed(request)
    await check_order(request, order_id)
    reply = await siren_of(request).ready(order_id, asked.key, asked.wait)
    return command_answer(reply, asked)


@router.post("/pickups/{order_id:id}/complete", responses=MOVED, openapi_extra=BUTTON)
@allow(STAFF, OWNER, SERVICE)
async def complete_pickup(request: Request, order_id: str) -> Response:
    """Hand over an order that is READY."""
    asked = _pressed(request)
    await check_order(request, order_id)
    reply = await siren_of(request).complete(order_id, asked.key, asked.wait)
    return command_answer(reply, asked)


@router.post(
    "/pickups/{order_id:id}/reject",
    responses=MOVED,
    openapi_extra=takes(request_schemas.Reject),
)
@allow(STAFF, OWNER, SERVICE)
async def reject_pickup(request: Request, order_id: str) -> Response:
    """Give an order up on the store's side, also while preparing: refund and cancel."""
    asked = command_headers(request)
    reason = read(request, request_schemas.Reject).reason
    await check_order(request, order_id)
    reply = await siren_of(request).reject(order_id, reason, asked.key, asked.wait)
    return command_answer(reply, asked)


def _pressed(request: Request) -> CommandHeaders:
    """Return the headers of a command that nothing more can be said to; refuse whatever is."""
    asked = command_headers(request)
    read(request, request_schemas.Nothing, request_schemas.Nothing())
    return asked
