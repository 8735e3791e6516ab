# mypy: disable-error-code="import-not-found, untyped-decorator"
"""The DBOS Transact peer: one workflow an order, on SQLite or on PostgreSQL.

Each step is a transaction on the shop's own tables; DBOS records the workflow's start, every
step's outcome and its end, and would finish after a crash what was begun.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import anyio.to_thread
from dbos import DBOS, SetWorkflowID
from fastapi import FastAPI
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

from tests.bench.peers import shop
from tests.bench.peers.shop import Base, Placed, PlaceOrder

POOL = 20
THREADS = 64
# SQLite writes one at a time: more threads would only poll for its lock, at a third more CPU.
SQLITE_THREADS = 8

transaction = sessionmaker()

# A step may run again after a crash, so each can be repeated.
PLACE = text(
    "INSERT INTO orders VALUES (:order_id, :customer_id, :customer_name, :customer_tel, "
    ":store_id, :items, :total, 'PENDING') ON CONFLICT DO NOTHING"
)
PAY = text(
    "INSERT INTO payments VALUES (:order_id, :customer_id, :amount, :status) ON CONFLICT DO NOTHING"
)
OPEN = text(
    "INSERT INTO tickets VALUES (:order_id, :store_id, :items, :status) ON CONFLICT DO NOTHING"
)
REFUND = text("UPDATE payments SET status = 'CANCELED' WHERE order_id = :order_id")
CHANGE = text("UPDATE orders SET status = :status WHERE order_id = :order_id")


@DBOS.step()
def place(row: dict[str, object]) -> None:
    with transaction.begin() as session:
        session.execute(PLACE, row)


@DBOS.step()
def pay(order_id: str, customer_id: str, amount: int, token: str) -> bool:
    approved = token != shop.DECLINED
    status = "APPROVED" if approved else "DECLINED"
    row = {"order_id": order_id, "customer_id": customer_id, "amount": amount, "status": status}
    with transaction.begin() as session:
        session.execute(PAY, row)
    return approved


@DBOS.step()
def open_ticket(order_id: str, store_id: str, items: str) -> bool:
    accepted = store_id in shop.STORES
    status = "ACCEPTED" if accepted else "REJECTED"
    row = {"order_id": order_id, "store_id": store_id, "items": items, "status": status}
    with transaction.begin() as session:
        session.execute(OPEN, row)
    return accepted


@DBOS.step()
def refund(order_id: str) -> None:
    with transaction.begin() as session:
        session.execute(REFUND, {"order_id": order_id})


@DBOS.step()
def change(order_id: str, status: str) -> str:
    with transaction.begin() as session:
        session.execute(CHANGE, {"order_id": order_id, "status": status})
    return status


@DBOS.workflow()
def order(row: dict[str, object], token: str) -> str:
    """Place, pay and hand to the store; a refusal undoes what was done. Returns the status."""
    order_id, customer_id = str(row["order_id"]), str(row["customer_id"])
    place(row)
    if not pay(order_id, customer_id, row["total"], token):
        return str(change(order_id, "CANCELED"))
    if not open_ticket(order_id, row["store_id"], row["items"]):
        refund(order_id)
        return str(change(order_id, "CANCELED"))
    return str(change(order_id, "ACCEPTED"))


@asynccontextmanager
async def _launched(app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = app.state.threads
    DBOS.launch()
    yield
    DBOS.destroy()


app = FastAPI(lifespan=_launched)


@app.post("/orders", status_code=201)
def place_order(wanted: PlaceOrder) -> Placed:
    order_id, total = uuid4().hex, wanted.total()
    row = {
        "order_id": order_id,
        "customer_id": wanted.customer.id,
        "customer_name": wanted.customer.name,
        "customer_tel": wanted.customer.tel,
        "store_id": wanted.store_id,
        "items": wanted.lines(),
        "total": total,
    }
    with SetWorkflowID(order_id):
        status = order(row, wanted.payment.token)
    return Placed(order_id=order_id, order_status=status, total=total)


def configure(given: shop.Arguments) -> None:
    """Create the shop's tables, and point it and DBOS at their databases."""
    if given.database:
        url = system_url = given.database
    else:
        url, system_url = (f"sqlite:///{given.folder}/{name}.db" for name in ("shop", "system"))
        for name in ("shop", "system"):
            # The file remembers it. SQLite's default, synchronous=FULL, stays.
            with sqlite3.connect(given.folder / f"{name}.db") as connection:
                connection.execute("PRAGMA journal_mode=WAL")
    app.state.threads = THREADS if given.database else SQLITE_THREADS
    engine = create_engine(url, pool_size=POOL, max_overflow=0, pool_timeout=60)
    Base.metadata.create_all(engine)
    transaction.configure(bind=engine)
    DBOS(
        config={
            "name": "shop",
            "system_database_url": system_url,
            "sys_db_pool_size": POOL,
            "application_version": "1",
            "log_level": "WARNING",
        }
    )


if __name__ == "__main__":
    given = shop.arguments()
    configure(given)
    shop.serve(app, given.port)
