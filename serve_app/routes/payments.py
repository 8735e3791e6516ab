"""Payments: the payment service's own record."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from actors.payment.queries import payment_not_found
from serve_app.contract import request_schemas, response_schemas
from serve_app.contract.openapi import answer, problems
from serve_app.contract.requests import siren_of
from serve_app.contract.responses import empty_page_answer, page_answer, resource_answer
from serve_app.routing.access_route import CUSTOMER, OWNER, SERVICE, AccessRoute, allow
from serve_app.security.authentication import caller
from serve_app.security.order_scope import may_see

router = APIRouter(tags=["payments"], route_class=AccessRoute)


@router.get(
    "/payments",
    responses={
        200: answer(
            response_schemas.Page[response_schemas.PaymentRecord], "Those that match all filters."
        ),
        **problems(422),
    },
)
@allow(CUSTOMER, OWNER, SERVICE)
async def list_payments(
    request: Request, wanted: Annotated[request_schemas.PaymentFilter, Query()]
) -> Response:
    """List payments, newest first; an order has one at most.

    A customer gets their own, that of the newest order first.
    """
    siren, identity = siren_of(request), caller(request)
    filters = wanted.model_dump()
    if identity.sees_everything:
        return page_answer(await siren.payments.page(**filters))
    scope, order_id = identity.subject, filters.pop("order_id")
    if order_id is None:
        return page_answer(await siren.payments_of(scope, **filters))
    if not await may_see(request, order_id):
        return empty_page_answer()
    return page_answer(await siren.payments.page(order_id=order_id, scope=scope, **filters))


@router.get(
    "/payments/{payment_id:id}",
    responses={200: answer(response_schemas.PaymentRecord, "The payment."), **problems(404)},
)
@allow(CUSTOMER, OWNER, SERVICE)
async def get_payment(request: Request, payment_id: str) -> Response:
    """Read a payment."""
    payment = await siren_of(request).payments.get(payment_id)
    if not caller(request).sees_everything and not await may_see(request, payment["order_id"]):
        raise payment_not_found()
    return resource_answer(payment)
