"""Orders: placing, paying and cancelling them, and their history from the journal."""

from dataclasses import asdict

import msgspec
from fastapi import APIRouter, Request, Response

from actors.contracts.errors import Rejected
from actors.contracts.limits import MAX_PAGE
from actors.contracts.messages import OrderReply
from actors.contracts.values import OrderStatus, PaymentStatus
from actors.order.domain.events import StoredEvent
from actors.order.domain.reasons import code_of
from actors.order.event_codec import EVENT_TAGS
from actors.order.ids import check_order_id
from actors.order.queries import DEFAULT_PAGE
from actors.order.telling import story_of
from actors.runtime.paging import Page
from serve_app.contract import request_schemas, response_schemas
from serve_app.contract.identity import OWNER as ANYBODY_HERE
from serve_app.contract.identity import Role
from serve_app.contract.openapi import REPLAYED_HEADER, answer, problems, takes
from serve_app.contract.problem_types import CARD_DECLINED
from serve_app.contract.problems import problem
from serve_app.contract.requests import CommandHeaders, command_headers, read, read_query, siren_of
from serve_app.contract.responses import (
    JSON,
    REPLAYED,
    command_answer,
    detail_answer,
    page_answer,
    resource_answer,
)
from serve_app.routing.access_route import CUSTOMER, EVERYBODY, OWNER, SERVICE, allow
from serve_app.routing.direct_route import DirectRoute
from serve_app.security.authentication import caller
from serve_app.security.order_scope import check_customer, check_detail, check_order

router = APIRouter(tags=["orders"], route_class=DirectRoute)

INTERNAL_FIELDS = ("body_hash",)
EVENT_PARAMETERS = [
    {
        "name": "limit",
        "in": "query",
        "description": "How many at most.",
        "schema": {"type": "integer", "default": DEFAULT_PAGE, "minimum": 1, "maximum": MAX_PAGE},
    },
    {
        "name": "cursor",
        "in": "query",
        "description": "A former answer's `next_cursor`.",
        "schema": {"type": "string", "minLength": 1, "maxLength": request_schemas.MAX_CURSOR},
    },
]


class _Placed(msgspec.Struct):
    order_id: str


_order_id_of = msgspec.json.Decoder(_Placed)


@router.post(
    "/orders",
    status_code=201,
    responses={
        201: answer(
            response_schemas.OrderDetail,
            "Placed: durable, and settled unless the wait was over before.",
            headers={"Location": {"schema": {"type": "string"}}},
        ),
        200: answer(
            response_schemas.OrderDetail,
            "This key and body had been placed before; the order as it is now.",
            headers=REPLAYED_HEADER,
        ),
        **problems(409, 413, 422),
    },
    openapi_extra=takes(request_schemas.PlaceOrder),
)
@allow(CUSTOMER, OWNER, SERVICE)
async def place_order(request: Request) -> Response:
    """Place an order.

    With `payment` the card is charged at once; a declined card is a 201 whose body says so. The
    key is scoped to the customer and kept for ever. 409 `store_closed`, `store_full`,
    `sold_out` (of what: `menu_ids`) or `price_changed` (to what: `total`): there is no order, and
    the key may be used again.
    403 `foreign_customer`: `customer.id` must be the token's subject.
    """
    asked = command_headers(request)
    order = read(request, request_schemas.PlaceOrder).to_order()
    check_customer(request, order.customer_id)
    reply = await siren_of(request).place(order, asked.key, asked.wait)
    location = {"Location": f"/orders/{_order_id_of.decode(reply.detail).order_id}"}
    if reply.replayed:
        return Response(reply.detail, 200, {**location, **REPLAYED, **asked.applied}, JSON)
    return Response(reply.detail, 201, {**location, **asked.applied}, JSON)


@router.get(
    "/orders/{order_id:id}",
    responses={200: answer(response_schemas.OrderDetail, "The order."), **problems(404)},
)
@allow(*EVERYBODY)
async def get_order(request: Request, order_id: str) -> Response:
    """Read an order from the journal: linearizable, whichever services are down."""
    return detail_answer(check_detail(request, await siren_of(request).order(order_id)))


@router.get(
    "/orders/{order_id:id}/events",
    responses={
        200: answer(
            response_schemas.Page[response_schemas.OrderEvent], "Those that follow `cursor`."
        ),
        **problems(404, 422),
    },
    openapi_extra={"parameters": EVENT_PARAMETERS},
)
@allow(*EVERYBODY)
async def get_order_events(request: Request, order_id: str) -> Response:
    """Read the order's history from the journal, oldest first."""
    wanted = read_query(request, request_schemas.EventFilter)
    await check_order(request, order_id)
    page = await siren_of(request).histories.page(order_id, wanted.limit, wanted.cursor)
    return page_answer(Page([_event(stored) for stored in page.items], page.next_cursor))


@router.get(
    "/orders/{order_id:id}/story",
    responses={200: answer(response_schemas.Story, "Its life so far."), **problems(404)},
)
@allow(OWNER)
async def get_order_story(request: Request, order_id: str) -> Response:
    """Read an order's life as a person would tell it, from the journal alone.

    What happened, by whom, and how long it took; what it waits for, since when, and how that fails.
    Of an order whose events cannot all be read it is the beginning, and `untold` says why.
    """
    check_order_id(order_id)
    return resource_answer(await story_of(siren_of(request).journal, order_id))


@router.post(
    "/orders/{order_id:id}/payment",
    responses={
        200: answer(response_schemas.OrderDetail, "Approved.", headers=REPLAYED_HEADER),
        202: answer(response_schemas.OrderDetail, "The outcome is not known yet."),
        **problems(402, 404, 409, 413, 422),
    },
    openapi_extra=takes(request_schemas.Payment),
)
@allow(CUSTOMER, OWNER, SERVICE)
async def pay_order(request: Request, order_id: str) -> Response:
    """Pay an order that is PLACED; answers once the payment is final or the wait is over.

    409 `store_closed`, `sold_out` or `store_full`: its store would not make it, nothing is charged,
    and it can be paid later. 409 `too_many_attempts`: ten of its payments were declined.
    """
    asked = command_headers(request)
    payment = read(request, request_schemas.Payment)
    await check_order(request, order_id)
    reply = await siren_of(request).pay(order_id, payment.token, asked.key, asked.wait)
    response = _payment_answer(reply, asked)
    if reply.replayed:
        response.headers.update(REPLAYED)
    return response


@router.post(
    "/orders/{order_id:id}/cancel",
    responses={
        200: answer(response_schemas.OrderDetail, "CANCELED; what was done is undone."),
        202: answer(response_schemas.OrderDetail, "CANCELING: decided, not all is undone yet."),
        **problems(404, 409, 413, 422),
    },
    openapi_extra=takes(request_schemas.Cancel, required=False),
)
@allow(CUSTOMER, OWNER, SERVICE)
async def cancel_order(request: Request, order_id: str) -> Response:
    """Cancel an order that nobody prepares yet, and undo what was done for it.

    Its history says by whom: the owner, where one says so by a token, or its customer, for whom a
    service acts, and whoever sits at a machine on which nothing is configured.
    """
    asked = command_headers(request)
    given = read(request, request_schemas.Cancel, request_schemas.Cancel()).reason
    await check_order(request, order_id)
    identity = caller(request)
    by = "owner" if identity.role is Role.OWNER and identity is not ANYBODY_HERE else "customer"
    reason = code_of("", by) if given is None else given
    reply = await siren_of(request).cancel(order_id, reason, asked.key, asked.wait, by=by)
    undone = reply.order_status == OrderStatus.CANCELED
    return command_answer(reply, asked, 200 if undone else 202)


@router.delete(
    "/orders/{order_id:id}",
    responses={
        200: answer(response_schemas.OrderDetail, "CANCELED; what was done is undone."),
        202: answer(response_schemas.OrderDetail, "CANCELING: decided, not all is undone yet."),
        **problems(404, 409, 413, 422),
    },
    openapi_extra=takes(request_schemas.Cancel, required=False),
)
@allow(CUSTOMER, OWNER, SERVICE)
async def delete_order(request: Request, order_id: str) -> Response:
    """Cancel an order, as `POST …/cancel` does; its history stays."""
    return await cancel_order(request, order_id)


def _payment_answer(reply: OrderReply, asked: CommandHeaders) -> Response:
    match reply.attempt:
        case PaymentStatus.APPROVED:
            return command_answer(reply, asked)
        case PaymentStatus.DECLINED:
            order = msgspec.Raw(reply.detail)
            return problem(CARD_DECLINED, headers=asked.applied, order=order)
        case PaymentStatus.CANCELED:
            raise Rejected("payment_canceled", "The order was cancelled, and its payment with it.")
    return command_answer(reply, asked, 202)


def _event(stored: StoredEvent) -> dict[str, object]:
    """Return an event without what only the journal needs: command ids are the clients' keys."""
    data = asdict(stored.event)
    for name in INTERNAL_FIELDS:
        data.pop(name, None)
    return {
        "version": stored.version,
        "type": EVENT_TAGS[type(stored.event)],
        "at": stored.at,
        "data": data,
    }
