"""When one of two systems on one database ends, the other finishes its open orders."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast
from uuid import uuid4

import pytest
from sqlalchemy import update

from actors.contracts.errors import Unavailable
from actors.contracts.values import PrivateData
from actors.order import journal_tables as tables
from actors.order import overdue
from actors.order.domain import commands as cmd
from actors.order.ids import slots_of
from actors.order.journal import Due
from actors.order.overdue import OverdueOrders
from actors.settings import Settings
from tests.support.orders import LINES
from tests.support.services import InProcess
from tests.support.waiting import until

SOON = timedelta(seconds=30)
TEN_MINUTES = 600_000_000


class Silent:
    """A service that never answers."""

    async def ask(self, _request: object, _timeout: float) -> Any:
        await asyncio.Event().wait()


@pytest.fixture
async def systems(database_url: str) -> AsyncIterator[tuple[InProcess, InProcess]]:
    settings = Settings(database_url=database_url)
    async with InProcess(settings) as one, InProcess(settings) as other:
        yield one, other


def later() -> datetime:
    return datetime.now(UTC) + SOON


def habit(system: InProcess, host: int = 0, hosts: int = 1) -> OverdueOrders:
    """Return what a host does every few seconds, at a time when all that is open is overdue."""
    fetch = partial(system.journal.overdue, slots_of(host, hosts))
    return OverdueOrders(fetch, system.host, later)


async def die(system: InProcess) -> None:
    for task in system.host._tasks:
        task.cancel()
    await asyncio.gather(*system.host._tasks, return_exceptions=True)
    system.host._live.clear()


async def events(system: InProcess, order_id: str) -> list[str]:
    history = await system.journal.load(order_id)
    return [type(stored.event).__name__ for stored in history.events]


async def place_unpaid(system: InProcess, payment_due: datetime) -> str:
    order_id = uuid4().hex
    person = PrivateData("영욱", "010-1234-5678", None)
    command = cmd.PlaceOrder(
        uuid4().hex, "c-17", "gangnam", LINES, "KRW", "hash", payment_due, pay=False, private=person
    )
    await system.send(order_id, command, wait=0)
    return order_id


async def settled(system: InProcess) -> None:
    async with asyncio.timeout(30):
        while system.host._tasks:
            await asyncio.wait(system.host._tasks)


async def test_the_open_orders_of_a_system_that_ended_are_finished_by_the_other(
    systems: tuple[InProcess, InProcess],
) -> None:
    one, other = systems
    one.host._around.steps._payment = cast(Any, Silent())
    unpaid_for = [await one.place(wait=0) for _ in range(20)]
    one.host._around.steps._store = cast(Any, Silent())
    await die(one)

    assert await habit(other).look() == 20
    await settled(other)

    for order_id in unpaid_for:
        assert (await events(other, order_id))[2:] == ["PaymentApproved", "PickupStarted"]
    assert await habit(other).look() == 0


async def test_a_payment_deadline_that_another_system_kept_comes_all_the_same(
    systems: tuple[InProcess, InProcess],
) -> None:
    one, other = systems
    one.host._deadlines._expire = lambda _order_id: None  # it ends before it can
    order_id = await place_unpaid(one, datetime.now(UTC) + timedelta(seconds=0.3))
    later_due = await place_unpaid(one, datetime.now(UTC) + timedelta(minutes=15))
    await die(one)
    await asyncio.sleep(0.5)

    assert await habit(other).look() == 1

    async def canceled() -> bool:
        return (await events(other, order_id))[-1] == "OrderCanceled"

    await until(canceled)
    assert (await events(other, later_due))[-1] == "OrderPlaced"


async def test_an_idle_order_in_memory_is_read_again_where_another_system_left_it_open(
    systems: tuple[InProcess, InProcess],
) -> None:
    one, other = systems
    order_id = await other.place()
    one.host._around.steps._store = cast(Any, Silent())
    await one.do(order_id, cmd.CancelOrder, reason="changed my mind", wait=0)
    await die(one)

    assert await habit(other).look() == 1
    await settled(other)

    assert (await events(other, order_id))[-1] == "PaymentCanceled"


async def test_two_systems_that_work_on_the_same_orders_do_no_harm_and_come_to_an_end(
    systems: tuple[InProcess, InProcess],
) -> None:
    one, other = systems
    orders = [await one.place("tok_slow_300", wait=0) for _ in range(20)]
    orders += [await one.place("tok_flaky", wait=0) for _ in range(20)]
    await habit(other).look()
    await asyncio.gather(settled(one), settled(other))

    for order_id in orders:
        history = await events(other, order_id)
        assert history == ["OrderPlaced", "PaymentRequested", "PaymentApproved", "PickupStarted"]
    assert await habit(one).look() == await habit(other).look() == 0


async def test_an_order_that_was_left_open_before_the_clock_was_set_back_is_finished(
    systems: tuple[InProcess, InProcess],
) -> None:
    one, other = systems
    one.host._around.steps._payment = cast(Any, Silent())
    order_id = await one.place(wait=0)
    unpaid = await place_unpaid(one, datetime.now(UTC) + timedelta(minutes=15))
    await die(one)
    async with one.journal.database.write() as connection:
        await connection.execute(update(tables.events).values(at=tables.events.c.at + TEN_MINUTES))
        due_at = tables.open_orders.c.due_at
        await connection.execute(update(tables.open_orders).values(due_at=due_at + TEN_MINUTES))

    fetch = partial(other.journal.overdue, slots_of(0, 1))
    assert await OverdueOrders(fetch, other.host).look() == 1
    await settled(other)

    assert (await events(other, order_id))[-1] == "PickupStarted"
    assert await events(other, unpaid) == ["OrderPlaced"]


async def test_an_order_that_is_worked_on_here_is_left_to_whoever_does(
    systems: tuple[InProcess, InProcess],
) -> None:
    _, system = systems
    system.host._around.steps._payment = cast(Any, Silent())
    await system.place(wait=0)
    assert await habit(system).look() == 0


async def test_every_host_looks_after_its_own_slots_alone(
    systems: tuple[InProcess, InProcess],
) -> None:
    one, other = systems
    one.host._around.steps._payment = cast(Any, Silent())
    for _ in range(40):
        await one.place(wait=0)
    await die(one)
    shares = [await habit(other, host, 2).look() for host in (0, 1)]
    assert sum(shares) == 40
    assert min(shares) > 0
    await settled(other)


async def test_however_many_are_worked_on_those_behind_them_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overdue, "PAGE", 10)
    monkeypatch.setattr(overdue, "PAGES", 2)
    monkeypatch.setattr(overdue, "AT_ONCE", 5)
    rows = [f"{n:03}" for n in range(100)]
    taken: list[str] = []

    async def fetch(_by: datetime, after: str, limit: int) -> list[Due]:
        return [Due(each, _by) for each in rows if each > after][:limit]

    class Taker:
        def works_on(self, order_id: str) -> bool:
            return order_id < "060" or order_id in taken

        async def recover(self, open_orders: Any) -> None:
            new = [due.order_id for due in open_orders]
            assert len(new) <= 5
            taken.extend(new)

    habit = OverdueOrders(fetch, Taker())
    for _ in range(40):
        await habit.look()
    assert sorted(taken) == rows[60:]


async def test_a_journal_that_is_away_ends_no_habit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overdue, "LOOK_S", 0)
    looks = 0
    enough = asyncio.Event()

    async def fetch(_by: datetime, _after: str, _limit: int) -> list[Due]:
        nonlocal looks
        looks += 1
        if looks == 3:
            enough.set()
        raise Unavailable("database_unavailable", "the disk is away")

    task = asyncio.create_task(OverdueOrders(fetch, cast(Any, None)).look_for_ever())
    async with asyncio.timeout(10):
        await enough.wait()
    task.cancel()
