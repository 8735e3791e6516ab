"""Whose an order is. What is foreign is answered exactly as what does not exist."""

from typing import Any

import msgspec
from fastapi import Request

from actors.contracts.errors import NotFound
from serve_app.contract.identity import Identity, Role
from serve_app.contract.problem_types import FOREIGN_CUSTOMER, ORDER_NOT_FOUND, WRONG_STORE
from serve_app.contract.problems import Refused, problem
from serve_app.contract.requests import siren_of
from serve_app.security.authentication import caller

NOT_IN_VIEW = "The view has no order with this id."


class _Customer(msgspec.Struct):
    id: str


class _Whose(msgspec.Struct):
    customer: _Customer
    store_id: str


_whose = msgspec.json.Decoder(_Whose)


async def check_order(request: Request, order_id: str) -> None:
    """Raise `NotFound` unless the journal has this order and it is in the caller's scope.

    Does nothing for those who see everything: what comes next finds out by itself.
    """
    if not caller(request).sees_everything and not await may_see(request, order_id):
        raise NotFound(ORDER_NOT_FOUND.code, ORDER_NOT_FOUND.detail)


async def may_see(request: Request, order_id: str) -> bool:
    """Return whether an order exists and is in the caller's scope, by the journal's word."""
    placed = await siren_of(request).histories.placed(order_id)
    if placed is None:
        return False
    return caller(request).sees(placed.customer_id, placed.store_id)


def check_detail(request: Request, detail: bytes, unknown: str = ORDER_NOT_FOUND.detail) -> bytes:
    """Return an order detail; raises `NotFound` where it is not in the caller's scope.

    `unknown` is what the caller would be told if the order did not exist.
    """
    identity = caller(request)
    if not identity.sees_everything:
        whose = _whose.decode(detail)
        if not identity.sees(whose.customer.id, whose.store_id):
            raise NotFound(ORDER_NOT_FOUND.code, unknown)
    return detail


def check_customer(request: Request, customer_id: str) -> None:
    """Raise `Refused` (403) where a customer orders in another's name."""
    identity = caller(request)
    if identity.role is Role.CUSTOMER and identity.subject != customer_id:
        raise Refused(problem(FOREIGN_CUSTOMER))


def check_store(request: Request, store_id: str) -> None:
    """Raise `Refused` (403) where staff touches another store."""
    identity = caller(request)
    if identity.role is Role.STAFF and identity.store_id != store_id:
        raise Refused(problem(WRONG_STORE))


def in_scope(request: Request, filters: dict[str, Any]) -> dict[str, Any] | None:
    """Return a list's filters narrowed to the caller's scope, None where nothing can match."""
    own = _own_filter(caller(request))
    if own is None:
        return filters
    name, value = own
    return filters | {name: value} if filters[name] in (None, value) else None


def _own_filter(identity: Identity) -> tuple[str, str | None] | None:
    if identity.role is Role.CUSTOMER:
        return "customer_id", identity.subject
    if identity.role is Role.STAFF:
        return "store_id", identity.store_id
    return None
