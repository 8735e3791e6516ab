"""Order details: the view. Nothing here needs an actor."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from actors.client import DEFAULT_WAIT_S
from serve_app import answer_schemas, schemas
from serve_app.answers import detail_answer, detail_page_answer
from serve_app.documentation import answer, problems
from serve_app.reading import check_query, siren_of

router = APIRouter(tags=["order details"])

Version = Annotated[
    int | None,
    Query(ge=0, le=schemas.MAX_VERSION, description="Wait up to 2 seconds for this version."),
]


@router.get(
    "/order-details",
    responses={
        200: answer(
            answer_schemas.Page[answer_schemas.OrderDetail], "Those that match all filters."
        ),
        **problems(422),
    },
)
async def list_order_details(
    request: Request, wanted: Annotated[schemas.OrderDetailFilter, Query()]
) -> Response:
    """List order details, newest first."""
    check_query(request)
    return detail_page_answer(await siren_of(request).details.page(**wanted.model_dump()))


@router.get(
    "/order-details/{order_id:id}",
    responses={200: answer(answer_schemas.OrderDetail, "The order."), **problems(404, 422)},
)
async def get_order_detail(
    request: Request, order_id: str, min_version: Version = None
) -> Response:
    """Read an order from the view, whichever services are down.

    With `min_version` it waits for that version, and then answers with what it has.
    """
    check_query(request)
    siren = siren_of(request)
    if min_version:
        row = await siren.watcher.wait_beyond(order_id, min_version - 1, DEFAULT_WAIT_S)
        if row is not None:
            return detail_answer(row.body.encode())
    return detail_answer(await siren.detail(order_id))
