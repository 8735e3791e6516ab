"""Whether all services tell the same story of every order at rest, by SQL on their files."""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.settings import SERVICES
from tests.support.outside import Detail

Row = tuple[Any, ...]
Schemas = dict[str, list[Row]]

TABLES = "SELECT name, sql FROM sqlite_master ORDER BY name"
FACTS = {
    "schemas": "SELECT * FROM schemas ORDER BY name",
    "meta": "SELECT key FROM meta WHERE key <> 'proved_writable' ORDER BY key",
    "checkpoint": "SELECT name FROM checkpoint",
}
"""What a start writes, by the table."""
EVENTS = "SELECT order_id, max(version), count(*) FROM events GROUP BY order_id"
CHARGES = "SELECT key, amount FROM charges WHERE status = 'APPROVED'"
PAYMENTS = "SELECT order_id, payment_id, status FROM payments"
TICKETS = "SELECT order_id, status, number, store_id, day FROM tickets"
TOKENS = "SELECT order_id FROM order_private WHERE payment_token IS NOT NULL"
AT_REST = ("NONE", "APPROVED", "DECLINED", "CANCELED")
"""What a payment may be once nothing is outstanding."""


def rows(folder: Path, service: str, query: str) -> list[Row]:
    """Return the rows of a query on a service's database."""
    with _opened(folder, service) as database:
        return database.execute(query).fetchall()


def _opened(folder: Path, service: str) -> "closing[sqlite3.Connection]":
    return closing(sqlite3.connect(f"file:{folder}/{service}.db?mode=ro", uri=True))


def schemas_of(folder: Path) -> Schemas:
    """Return what each database is made of, and what a start writes; nothing where it is none."""
    return {service: _schema_of(folder, service) for service in SERVICES}


def _schema_of(folder: Path, service: str) -> list[Row]:
    try:
        with _opened(folder, service) as database:
            tables = database.execute(
                "SELECT name, sql FROM sqlite_master ORDER BY name"
            ).fetchall()
            facts = [FACTS[name] for name, _ in tables if name in FACTS]
            return tables + [row for query in facts for row in database.execute(query)]
    except sqlite3.Error:
        return []


@dataclass
class _Books:
    """What there is of one order, beside its detail in the view."""

    detail: Detail
    charged: list[int]
    payment: Row | None
    ticket: Row | None

    def wrong(self) -> Iterator[str]:
        detail = self.detail
        paid = detail["payment_status"] == "APPROVED"
        if detail["order_status"] == "CANCELING" or detail["payment_status"] not in AT_REST:
            yield f"not at rest: {detail['order_status']}, {detail['payment_status']}"
        if self.charged != [detail["total"]] * paid:
            yield f"charged {self.charged}, of {detail['total']} {detail['payment_status']}"
        if detail["payment_id"] and self.payment != (
            detail["payment_id"],
            detail["payment_status"],
        ):
            yield f"the payment is {self.payment}, told {detail['payment_id']}"
        ticket = None
        if detail["pickup_status"] != "NONE":
            ticket = (detail["pickup_status"], detail["pickup_number"])
        known = self.ticket and self.ticket[:2]
        if known and known[0] == "CANCELED" and detail["pickup_number"] is None:
            known = ("CANCELED", None)  # it was called off before the order learnt its number
        if known != ticket:
            yield f"the ticket is {self.ticket}, told {ticket}"


def wrong_books(folder: Path) -> list[str]:
    """Return what is wrong between journal, provider, payments, stores and view."""
    found = {order_id: (last, count) for order_id, last, count in rows(folder, "journal", EVENTS)}
    shown = {
        detail["order_id"]: detail
        for (body,) in rows(folder, "readmodel", "SELECT body FROM order_detail")
        for detail in [json.loads(body)]
    }
    charged: defaultdict[str, list[int]] = defaultdict(list)
    for key, amount in rows(folder, "provider", CHARGES):
        charged[key.partition(":")[0]].append(amount)
    payments = {order_id: tuple(rest) for order_id, *rest in rows(folder, "payments", PAYMENTS)}
    tickets = {order_id: tuple(rest) for order_id, *rest in rows(folder, "stores", TICKETS)}
    wrong = [f"{order_id}: versions with gaps" for order_id, (n, m) in found.items() if n != m]
    versions = {order_id: detail["version"] for order_id, detail in shown.items()}
    if versions != {order_id: last for order_id, (last, _) in found.items()}:
        wrong.append(f"the view has {versions}, the journal {found}")
    for what, of in (("charge", charged), ("payment", payments), ("ticket", tickets)):
        wrong += [f"{order_id}: a {what} without an order" for order_id in of.keys() - found.keys()]
    for order_id, detail in shown.items():
        books = _Books(detail, charged[order_id], payments.get(order_id), tickets.get(order_id))
        wrong += [f"{order_id}: {words}" for words in books.wrong()]
    numbers = Counter(ticket[1:] for ticket in tickets.values() if ticket[1] is not None)
    wrong += [f"{number} was given twice" for number, count in numbers.items() if count > 1]
    tokens = rows(folder, "journal", TOKENS)
    return wrong + [f"{order_id}: its card token is still there" for (order_id,) in tokens]
