"""Words for tests of the store: what it is told, and the ticket that it keeps."""

from datetime import UTC, datetime
from typing import Any

from actors.contracts.messages import StoreChange, TicketReply, TicketRequest
from actors.contracts.values import Line
from actors.store.queries import StoreQueries
from actors.store.service import StoreService

NOON = datetime(2026, 3, 1, 3, tzinfo=UTC)  # in Seoul


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def request(order_id: str, store_id: str = "gangnam", menu_id: str = "americano") -> TicketRequest:
    return TicketRequest(order_id, store_id, (Line(menu_id, "Americano", 2, 4500),), "Ada")


async def open_ticket(store: StoreService, order_id: str, **order: str) -> TicketReply:
    reply = await store.handle(request(order_id, **order))
    assert isinstance(reply, TicketReply)
    return reply


async def the_ticket(queries: StoreQueries, order_id: str) -> dict[str, Any]:
    [ticket] = (await queries.tickets(order_id=order_id)).items
    assert isinstance(ticket, dict)
    return ticket


def doors(*, is_open: bool) -> StoreChange:
    return StoreChange("gangnam", open=is_open, set_capacity=False, capacity=None)
