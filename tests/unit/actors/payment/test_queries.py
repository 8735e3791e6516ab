"""Payments are read from the database alone, newest first, without tombstones."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from actors.contracts.errors import Invalid, NotFound
from actors.contracts.messages import ChargeRequest
from actors.payment.ledger import Payment, PaymentLedger
from actors.payment.queries import PaymentQueries

SECOND = 1_000_000


@pytest.fixture
async def queries(ledger: PaymentLedger, database_url: str) -> AsyncIterator[PaymentQueries]:
    del ledger  # it makes the tables
    queries = PaymentQueries(database_url)
    yield queries
    await queries.close()


async def pay(ledger: PaymentLedger, order_id: str, status: str, now: int) -> Payment:
    request = ChargeRequest(order_id, 1, 12500, "KRW", "")
    return await ledger.apply(order_id, lambda known: known.charged(request, status, now))


async def refund(ledger: PaymentLedger, order_id: str, now: int) -> None:
    await ledger.apply(order_id, lambda known: known.refuse(1, now).refunded(now))


async def order_ids(queries: PaymentQueries, limit: int) -> list[list[str]]:
    """Return the order ids of all pages, a list a page."""
    page = await queries.page(limit=limit)
    pages = [page]
    while page.next_cursor is not None:
        page = await queries.page(limit=limit, cursor=page.next_cursor)
        pages.append(page)
    return [[payment["order_id"] for payment in page.items] for page in pages]


async def test_a_payment_has_the_shape_of_the_contract(
    ledger: PaymentLedger, queries: PaymentQueries
) -> None:
    payment = await pay(ledger, "o", "APPROVED", 5 * SECOND)
    await refund(ledger, "o", 9 * SECOND)
    assert payment.payment_id is not None

    assert await queries.get(payment.payment_id) == {
        "payment_id": payment.payment_id,
        "order_id": "o",
        "amount": 12500,
        "currency": "KRW",
        "status": "CANCELED",
        "approved_at": datetime(1970, 1, 1, 0, 0, 5, tzinfo=UTC),
        "canceled_at": datetime(1970, 1, 1, 0, 0, 9, tzinfo=UTC),
        "attempts": 1,
    }


async def test_an_unknown_payment_is_not_found(queries: PaymentQueries) -> None:
    with pytest.raises(NotFound) as missing:
        await queries.get("pay_0")
    assert missing.value.code == "payment_not_found"


async def test_pages_hold_every_payment_once_newest_first(
    ledger: PaymentLedger, queries: PaymentQueries
) -> None:
    for order_id, now in [("a", 1), ("c", 3), ("b", 3), ("d", 3), ("e", 4)]:
        await pay(ledger, order_id, "APPROVED", now)

    assert await order_ids(queries, limit=2) == [["e", "d"], ["c", "b"], ["a"]]
    assert await order_ids(queries, limit=5) == [["e", "d", "c", "b", "a"]]


async def test_a_payment_made_while_somebody_pages_shifts_nothing(
    ledger: PaymentLedger, queries: PaymentQueries
) -> None:
    for order_id, now in [("a", 1), ("b", 2), ("c", 3)]:
        await pay(ledger, order_id, "APPROVED", now)
    first = await queries.page(limit=1)
    await pay(ledger, "new", "APPROVED", 4)

    rest = await queries.page(cursor=first.next_cursor)

    assert [payment["order_id"] for payment in rest.items] == ["b", "a"]


async def test_payments_are_filtered_by_order_and_by_status(
    ledger: PaymentLedger, queries: PaymentQueries
) -> None:
    for order_id, status in [("a", "APPROVED"), ("b", "DECLINED"), ("c", "PENDING")]:
        await pay(ledger, order_id, status, 1)

    [declined] = (await queries.page(status="DECLINED")).items
    [pending] = (await queries.page(order_id="c")).items

    assert declined["order_id"] == "b"
    assert pending["status"] == "PENDING"
    assert (await queries.page(order_id="a", status="PENDING")).items == []


async def test_a_tombstone_is_not_a_payment(ledger: PaymentLedger, queries: PaymentQueries) -> None:
    await refund(ledger, "o", 1)
    assert (await queries.page()).items == []


async def test_a_cursor_of_another_list_is_invalid(queries: PaymentQueries) -> None:
    with pytest.raises(Invalid):
        await queries.page(cursor="bm90IG1pbmU")
