"""What the peers sell, in one place: the request that Siren takes too, the tables, the server.

Imports only what `requirements.txt` holds: the peers run without Siren's own packages.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

PRICES = {"americano": 4500, "bagel": 3500}
STORES = {"gangnam", "pangyo", "jeju"}
DECLINED = "tok_decline"


class Customer(BaseModel):
    id: str
    name: str
    tel: str


class Item(BaseModel):
    menu_id: str
    quantity: int


class Card(BaseModel):
    method: str
    token: str


class PlaceOrder(BaseModel):
    """The body of `POST /orders`, as Siren takes it."""

    customer: Customer
    store_id: str
    items: list[Item]
    payment: Card

    def total(self) -> int:
        """Return what it costs, in won."""
        return sum(PRICES[item.menu_id] * item.quantity for item in self.items)

    def lines(self) -> str:
        """Return the items as JSON, as they are stored."""
        return "[" + ",".join(item.model_dump_json() for item in self.items) + "]"


class Placed(BaseModel):
    """The answer: the order, and whether the store has accepted it."""

    order_id: str
    order_status: str
    total: int


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    order_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str]
    customer_name: Mapped[str]
    customer_tel: Mapped[str]
    store_id: Mapped[str]
    items: Mapped[str]
    total: Mapped[int]
    status: Mapped[str]


class Payment(Base):
    __tablename__ = "payments"
    order_id: Mapped[str] = mapped_column(primary_key=True)
    customer_id: Mapped[str]
    amount: Mapped[int]
    status: Mapped[str]


class Ticket(Base):
    __tablename__ = "tickets"
    order_id: Mapped[str] = mapped_column(primary_key=True)
    store_id: Mapped[str]
    items: Mapped[str]
    status: Mapped[str]


@dataclass(frozen=True)
class Arguments:
    """What a peer is started with: its port, its empty folder, a database server if it uses one."""

    port: int
    folder: Path
    database: str


def arguments() -> Arguments:
    """Read the command line of a peer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="empty folder for SQLite files")
    parser.add_argument("--database", default="", help="PostgreSQL URL; SQLite if not given")
    given = parser.parse_args()
    return Arguments(given.port, given.folder, given.database)


def serve(app: FastAPI, port: int) -> None:
    """Serve on loopback, in this process, until SIGINT."""

    @app.get("/healthz")
    async def healthz() -> dict[str, bool]:
        return {"ok": True}

    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
