"""Payments: the payment service's own record."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from actors.payment_queries import payment_not_found
from serve_app import answer_schemas, schemas
from serve_app.access import CUSTOMER, OWNER, SERVICE, AccessRoute, allow
from serve_app.answers import json_answer, page_answer
from serve_app.documentation import answer, problems
from serve_app.gate import caller
from serve_app.ownership import may_see
from serve_app.reading import check_query, siren_of

router = APIRouter(tags=["payments"], route_class=AccessRoute)


@router.get(
    "/payments",
    responses={
        200: answer(
            answer_schemas.Page[answer_schemas.PaymentRecord], "Those that match all filters."
        ),
        **problems(422),
    },
)
@allow(CUSTOMER, OWNER, SERVICE)
async def list_payments(
    request: Request, wanted: Annotated[schemas.PaymentFilter, Query()]
) -> Response:
    """List payments, newest first, a customer's own; an order has one at most."""
    check_query(request)
    siren, identity = siren_of(request), caller(request)
    # The payment service knows no customers: the view tells whose orders these are.
    scope = None if identity.sees_everything else identity.subject
    own = None if scope is None else await siren.details.order_ids(scope)
    page = await siren.payments.page(**wanted.model_dump(), order_ids=own, scope=scope)
    return page_answer(page)


@router.get(
    "/payments/{payment_id:id}",
    responses={200: answer(answer_schemas.PaymentRecord, "The payment."), **problems(404)},
)
@allow(CUSTOMER, OWNER, SERVICE)
async def get_payment(request: Request, payment_id: str) -> Response:
    """Read a payment."""
    payment = await siren_of(request).payments.get(payment_id)
    if not caller(request).sees_everything and not await may_see(request, payment["order_id"]):
        raise payment_not_found()
    return json_answer(payment)
