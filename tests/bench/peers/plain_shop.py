"""The plain peer: FastAPI, SQLAlchemy and SQLite in one process, one transaction a step.

What a small shop would write. On disk before each next step (WAL, synchronous=FULL), but nobody
finishes an order that a crash left between two steps.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi import FastAPI
from sqlalchemy import event, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from tests.bench.peers import shop
from tests.bench.peers.shop import Base, Order, Payment, Placed, PlaceOrder, Ticket


class PlainShop:
    """The steps of an order, each a transaction of its own."""

    def __init__(self, folder: Path) -> None:
        # One connection: SQLite writes one at a time anyway, and waiting in the pool's queue is
        # cheaper than polling for the file's lock.
        url = f"sqlite+aiosqlite:///{folder}/shop.db"
        self.engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=60)
        self._transaction = async_sessionmaker(self.engine, expire_on_commit=False).begin
        event.listen(self.engine.sync_engine, "connect", _configure)

    async def place(self, wanted: PlaceOrder) -> Placed:
        """Place, pay and hand to the store; a refusal undoes what was done."""
        order_id, total, lines = uuid4().hex, wanted.total(), wanted.lines()
        async with self._transaction() as session:
            session.add(_order(order_id, wanted, total, lines))
        status = "CANCELED"
        if await self._pay(order_id, wanted, total):
            if await self._open_ticket(order_id, wanted.store_id, lines):
                status = "ACCEPTED"
            else:
                await self._refund(order_id)
        async with self._transaction() as session:
            await _change(session, Order, order_id, status)
        return Placed(order_id=order_id, order_status=status, total=total)

    async def _pay(self, order_id: str, wanted: PlaceOrder, amount: int) -> bool:
        approved = wanted.payment.token != shop.DECLINED
        status = "APPROVED" if approved else "DECLINED"
        customer_id = wanted.customer.id
        async with self._transaction() as session:
            row = Payment(order_id=order_id, customer_id=customer_id, amount=amount, status=status)
            session.add(row)
        return approved

    async def _open_ticket(self, order_id: str, store_id: str, lines: str) -> bool:
        accepted = store_id in shop.STORES
        status = "ACCEPTED" if accepted else "REJECTED"
        async with self._transaction() as session:
            session.add(Ticket(order_id=order_id, store_id=store_id, items=lines, status=status))
        return accepted

    async def _refund(self, order_id: str) -> None:
        async with self._transaction() as session:
            await _change(session, Payment, order_id, "CANCELED")


def _order(order_id: str, wanted: PlaceOrder, total: int, lines: str) -> Order:
    return Order(
        order_id=order_id,
        customer_id=wanted.customer.id,
        customer_name=wanted.customer.name,
        customer_tel=wanted.customer.tel,
        store_id=wanted.store_id,
        items=lines,
        total=total,
        status="PENDING",
    )


async def _change(
    session: AsyncSession, table: type[Order | Payment], order_id: str, status: str
) -> None:
    await session.execute(update(table).where(table.order_id == order_id).values(status=status))


def _configure(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def build_app(folder: Path) -> FastAPI:
    """Return the application on an empty folder."""
    plain = PlainShop(folder)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with plain.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield
        await plain.engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/orders", status_code=201)
    async def place_order(wanted: PlaceOrder) -> Placed:
        return await plain.place(wanted)

    return app


if __name__ == "__main__":
    given = shop.arguments()
    shop.serve(build_app(given.folder), given.port)
