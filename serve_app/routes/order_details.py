"""Order details: the view. Nothing here needs an actor."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from actors.client import DEFAULT_WAIT_S
from serve_app.contract import request_schemas, response_schemas
from serve_app.contract.openapi import answer, problems
from serve_app.contract.requests import read_query, siren_of
from serve_app.contract.responses import detail_answer, detail_page_answer, empty_page_answer
from serve_app.middleware.concurrency_limits import waiting
from serve_app.routing.access_route import EVERYBODY, AccessRoute, allow
from serve_app.routing.direct_route import DirectRoute
from serve_app.security.order_scope import NOT_IN_VIEW, check_detail, check_order, in_scope

router = APIRouter(tags=["order details"], route_class=DirectRoute)  # nothing is read as often
lists = APIRouter(tags=["order details"], route_class=AccessRoute)


@lists.get(
    "/order-details",
    responses={
        200: answer(
            response_schemas.Page[response_schemas.OrderDetail], "Those that match all filters."
        ),
        **problems(422),
    },
)
@allow(*EVERYBODY)
async def list_order_details(
    request: Request, wanted: Annotated[request_schemas.OrderDetailFilter, Query()]
) -> Response:
    """List order details, newest first; a customer's own, or those of a store for its staff."""
    filters = in_scope(request, wanted.model_dump())
    if filters is None:
        return empty_page_answer()
    return detail_page_answer(await siren_of(request).details.page(**filters))


@router.get(
    "/order-details/{order_id:id}",
    responses={200: answer(response_schemas.OrderDetail, "The order."), **problems(404, 422)},
    openapi_extra={
        "parameters": [
            {
                "name": "min_version",
                "in": "query",
                "description": "Wait up to 2 seconds for this version.",
                "schema": {"type": "integer", "minimum": 0, "maximum": request_schemas.MAX_VERSION},
            }
        ]
    },
)
@allow(*EVERYBODY)
async def get_order_detail(request: Request, order_id: str) -> Response:
    """Read an order from the view, whichever services are down.

    With `min_version` it waits for that version, and then answers with what it has.
    """
    min_version = read_query(request, request_schemas.OrderDetailQuery).min_version
    siren = siren_of(request)
    if min_version:
        await check_order(request, order_id)  # waiting or not would tell whether it exists
        with waiting() as may_wait:
            wait = DEFAULT_WAIT_S if may_wait else 0
            row = await siren.watcher.wait_beyond(order_id, min_version - 1, wait)
        if row is not None:
            return detail_answer(row.body.encode())
    detail = await siren.detail(order_id)
    return detail_answer(check_detail(request, detail, NOT_IN_VIEW))
