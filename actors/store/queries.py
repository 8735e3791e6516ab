"""Stores, menus and tickets, read from the database alone: no store actor need be alive."""

import time
from typing import Any

import msgspec
from sqlalchemy import Row, Select, or_, select

from actors.contracts.errors import Damaged, Invalid, NotFound, Unavailable
from actors.contracts.values import PickupStatus
from actors.runtime.batching import Batcher
from actors.runtime.clock import from_micros
from actors.runtime.database import Database
from actors.runtime.hanging import trouble_with
from actors.runtime.paging import Cursors, Page, check_limit
from actors.store.offer import MenuItem, Offer, is_full
from actors.store.tables import menu_items, metadata, stores, tickets
from actors.store.tickets import StoreRow

LOOK_AGAIN_S = 2.0
"""How long the last known offers are taken before a database that is away is asked again."""


class StoreQueries:
    """Read access to the store service's database. Every process opens its own.

    `secret` signs cursors.
    """

    def __init__(self, url: str, secret: bytes | None = None) -> None:
        self._database = Database(url, metadata)
        self._cursors = Cursors("tickets", secret)
        # Apart: who asks for a store that nobody knows would make all others wait for a server that
        # says nothing.
        self._offers: Batcher[str, Offer] = Batcher(self._load_or_remember)
        self._first_offers: Batcher[str, Offer] = Batcher(self._load_or_remember)
        self._last_known: dict[str, Offer] = {}
        self._away_until = 0.0
        s, m = stores.c, menu_items.c
        self._with_menus = self._database.prepare(
            select(s.store_id, s.currency, s.open, s.capacity, s.queued + s.ready)
            .add_columns(m.menu_id, m.name, m.price, m.sold_out)
            .select_from(stores.outerjoin(menu_items, m.store_id == s.store_id))
            .where(self._database.among(s.store_id, "store_ids"))
        )

    async def offer(self, store_id: str) -> Offer:
        """Return what the store sells; calls that wait share a query.

        Where the database is away it is what this process knew last, so that orders go on: they
        take their prices along, and what the store cannot make is undone. Raises `Invalid`
        (`unknown_store`) where there is no such store.
        """
        known = store_id in self._last_known
        return await (self._offers if known else self._first_offers).submit(store_id)

    async def stores(self) -> list[dict[str, Any]]:
        """Return all stores by id, each as `store` does."""
        rows = await self._all(select(stores).order_by(stores.c.store_id))
        with self._database.faults.readable:
            return [_store(row) for row in rows]

    async def store(self, store_id: str) -> dict[str, Any]:
        """Return a store with its queue and the wait, in seconds, of an order placed now.

        Raises `NotFound`.
        """
        rows = await self._all(select(stores).where(stores.c.store_id == store_id))
        if not rows:
            raise NotFound("store_not_found", "There is no store with this id.")
        with self._database.faults.readable:
            return _store(rows[0])

    async def menu(self, store_id: str) -> list[dict[str, Any]]:
        """Return the store's menu in the order of the board; prices in the minor unit.

        Raises `NotFound`.
        """
        currency = (await self.store(store_id))["currency"]
        mine = select(menu_items).where(menu_items.c.store_id == store_id)
        rows = await self._all(mine.order_by(menu_items.c.sort_order))
        return [
            {
                "menu_id": row.menu_id,
                "name": row.name,
                "price": row.price,
                "currency": currency,
                "sold_out": row.sold_out,
            }
            for row in rows
        ]

    async def tickets(
        self,
        store_id: str | None = None,
        status: str | None = None,
        order_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Return tickets, oldest first; only those that match what is given.

        Raises `Invalid` for a cursor that was not made by this list, or a limit out of range.
        """
        check_limit(limit)
        query = select(tickets).where(_is_no_tombstone()).order_by(tickets.c.seq)
        filters = {"store_id": store_id, "status": status, "order_id": order_id}
        for name, value in filters.items():
            if value is not None:
                query = query.where(tickets.c[name] == value)
        if cursor is not None:
            # Not its place in line, which would tell how much the whole chain sells.
            (last_id,) = self._cursors.decode(filters, cursor, str)
            last = select(tickets.c.seq).where(tickets.c.order_id == last_id)
            query = query.where(tickets.c.seq > last.scalar_subquery())
        rows = await self._all(query.limit(limit + 1))
        more = len(rows) > limit
        with self._database.faults.readable:
            items = [_ticket(row) for row in rows[:limit]]
        cursors = self._cursors
        return Page(items, cursors.encode(filters, rows[limit - 1].order_id) if more else None)

    def trouble(self) -> str | None:
        """Return what hangs between this process and the database; see `trouble_with`."""
        return trouble_with(self._database, self._offers, self._first_offers)

    async def close(self) -> None:
        """Close all connections."""
        await self._database.close()

    async def _all(self, query: Select[Any]) -> list[Row[Any]]:
        async with self._database.read() as connection:
            return list(await connection.execute(query))

    def _item(self, name: str, price: int, sold_out: int) -> MenuItem:
        # SQLite keeps whatever stands in a column, of whatever type.
        if type(name) is not str or type(price) is not int:
            raise self._database.faults.damaged("a row of the menu cannot be read")
        return MenuItem(name, price, bool(sold_out))

    async def _load_or_remember(self, store_ids: list[str]) -> list[Any]:
        known = self._last_known
        if time.monotonic() < self._away_until and known.keys() >= set(store_ids):
            return [known[store_id] for store_id in store_ids]
        try:
            return await self._load_offers(store_ids)
        except Damaged:
            raise
        except Unavailable as error:
            self._away_until = time.monotonic() + LOOK_AGAIN_S
            return [known.get(store_id, error) for store_id in store_ids]

    async def _load_offers(self, store_ids: list[str]) -> list[Any]:
        rows = await self._database.fetch(self._with_menus, {"store_ids": list(set(store_ids))})
        offers: dict[str, Offer] = {}
        for store_id, currency, is_open, capacity, uncollected, menu_id, *item in rows:
            offer = offers.get(store_id)
            if offer is None:
                full = is_full(capacity, uncollected)
                offer = offers[store_id] = Offer(store_id, currency, bool(is_open), full, {})
            if menu_id is not None:
                offer.items[menu_id] = self._item(*item)
        self._last_known |= offers
        unknown = Invalid("unknown_store", "There is no store with this id.", "/store_id")
        return [offers.get(store_id, unknown) for store_id in store_ids]


def _is_no_tombstone() -> Any:
    # What was cancelled before it came has no number, and was never work for anybody.
    return or_(tickets.c.status != PickupStatus.CANCELED, tickets.c.number.is_not(None))


def _store(row: Row[Any]) -> dict[str, Any]:
    return {
        "store_id": row.store_id,
        "name": row.name,
        "time_zone": row.time_zone,
        "currency": row.currency,
        "open": row.open,
        "capacity": row.capacity,
        "queue_length": row.queued,
        "estimated_wait_s": _rules(row).estimated_wait_s,
    }


def _rules(row: Row[Any]) -> StoreRow:
    return msgspec.convert(row, StoreRow, from_attributes=True)


def _ticket(row: Row[Any]) -> dict[str, Any]:
    return {
        "order_id": row.order_id,
        "store_id": row.store_id,
        "number": row.number,
        "status": row.status,
        "items": msgspec.json.decode(row.items),
        "customer_name": row.customer_name,
        "reason": row.reason,
        "estimated_ready_at": _time(row.estimated_ready_at),
        "opened_at": _time(row.opened_at),
        "updated_at": _time(row.updated_at),
    }


def _time(micros: int | None) -> Any:
    return None if micros is None else from_micros(micros)
