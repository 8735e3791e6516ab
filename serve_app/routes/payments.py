"""Payments: the payment service's own record."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from serve_app import answer_schemas, schemas
from serve_app.answers import json_answer, page_answer
from serve_app.documentation import answer, problems
from serve_app.reading import check_query, siren_of

router = APIRouter(tags=["payments"])


@router.get(
    "/payments",
    responses={
        200: answer(
            answer_schemas.Page[answer_schemas.PaymentRecord], "Those that match all filters."
        ),
        **problems(422),
    },
)
async def list_payments(
    request: Request, wanted: Annotated[schemas.PaymentFilter, Query()]
) -> Response:
    """List payments, newest first; an order has one at most."""
    check_query(request)
    return page_answer(await siren_of(request).payments.page(**wanted.model_dump()))


@router.get(
    "/payments/{payment_id:id}",
    responses={200: answer(answer_schemas.PaymentRecord, "The payment."), **problems(404)},
)
async def get_payment(request: Request, payment_id: str) -> Response:
    """Read a payment."""
    return json_answer(await siren_of(request).payments.get(payment_id))
