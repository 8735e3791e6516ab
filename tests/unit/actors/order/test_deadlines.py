"""Payment deadlines come in time, whatever the clock on the wall is set to meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from actors.contracts.values import PrivateData
from actors.order import deadlines, journal
from actors.order.deadlines import Deadlines
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from actors.order.domain.decisions import decide
from actors.order.domain.order import Order, fold
from actors.order.host import OrderHost
from actors.runtime.clock import utc_now
from actors.settings import Settings
from tests.support.orders import LINES, NOON
from tests.support.services import InProcess
from tests.support.waiting import until

HOUR = timedelta(hours=1)
SOON = timedelta(seconds=0.2)


class WallClock:
    """Goes on as it should, but for what it is set forward or back."""

    def __init__(self) -> None:
        self.moved = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.moved


class Expired:
    """The orders whose time has come."""

    def __init__(self) -> None:
        self.orders: list[str] = []
        self.one = asyncio.Event()

    def __call__(self, order_id: str) -> None:
        self.orders.append(order_id)
        self.one.set()

    async def wait(self) -> None:
        async with asyncio.timeout(20):
            await self.one.wait()


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
async def expired() -> Expired:
    return Expired()


@pytest.fixture
def waiting(expired: Expired, clock: WallClock, monkeypatch: pytest.MonkeyPatch) -> Deadlines:
    monkeypatch.setattr(deadlines, "LOOK_S", 0.05)
    return Deadlines(expired, clock)


@pytest.fixture
async def system(tmp_path: Path, clock: WallClock) -> AsyncIterator[InProcess]:
    async with InProcess(Settings(data_dir=tmp_path)) as system:
        system.host = host(system, clock)
        yield system


def host(system: InProcess, clock: WallClock) -> OrderHost:
    return OrderHost(system.journal, system.host._around.steps, lambda: None, 600, clock)


async def test_a_clock_that_is_set_back_prolongs_no_deadline(
    waiting: Deadlines, expired: Expired, clock: WallClock
) -> None:
    at = clock() + SOON
    waiting.set("o", at)
    clock.moved = -HOUR
    waiting.set("o", at)  # as after any change of the order
    await expired.wait()
    assert expired.orders == ["o"]


async def test_a_clock_that_is_set_forward_is_noticed_at_the_next_look(
    waiting: Deadlines, expired: Expired, clock: WallClock
) -> None:
    waiting.set("o", clock() + HOUR / 2)
    clock.moved = HOUR
    await expired.wait()
    assert expired.orders == ["o"]


async def test_a_clock_that_was_ahead_prolongs_no_deadline_beyond_what_was_promised(
    waiting: Deadlines, expired: Expired, clock: WallClock
) -> None:
    """The order was placed while the clock was an hour ahead, and loaded after it was set right."""
    waiting.set("o", clock() + HOUR, longest=SOON)
    await expired.wait()


async def test_a_deadline_that_does_not_matter_any_more_never_comes(
    waiting: Deadlines, expired: Expired, clock: WallClock
) -> None:
    waiting.set("paid", clock() + SOON)
    waiting.set("paid", None)
    waiting.set("unpaid", clock() + 2 * SOON)
    await expired.wait()
    assert expired.orders == ["unpaid"]


async def place(system: InProcess, due: datetime, token: str | None = None) -> str:
    order_id = uuid4().hex
    command = cmd.PlaceOrder(
        uuid4().hex,
        "c-17",
        "gangnam",
        LINES,
        "KRW",
        "hash",
        due,
        pay=token is not None,
        private=PrivateData("영욱", "010-1234-5678", token),
    )
    await system.send(order_id, command, wait=0)
    return order_id


async def order(system: InProcess, order_id: str) -> Order:
    found = fold((await system.journal.load(order_id)).events)
    assert found is not None
    return found


async def reaches(system: InProcess, order_id: str, status: str) -> Order:
    async def found() -> Order | None:
        known = await order(system, order_id)
        return known if known.status == status else None

    reached: Order = await until(found, within=20)
    return reached


async def test_an_unpaid_order_is_cancelled_in_time_although_the_clock_was_set_back(
    system: InProcess, clock: WallClock
) -> None:
    order_id = await place(system, clock() + SOON)
    clock.moved = -HOUR
    canceled = await reaches(system, order_id, "CANCELED")
    assert canceled.cancel_reason == "payment_timeout"
    assert canceled.canceled_at is not None
    assert canceled.canceled_at >= canceled.payment_due >= canceled.placed_at


async def test_an_unpaid_order_is_cancelled_soon_after_the_clock_was_set_beyond_its_deadline(
    system: InProcess, clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "LOOK_S", 0.05)
    order_id = await place(system, clock() + HOUR / 4)
    clock.moved = HOUR
    await reaches(system, order_id, "CANCELED")


async def test_after_a_restart_with_the_clock_set_back_what_was_begun_goes_on_at_once(
    system: InProcess, clock: WallClock
) -> None:
    clock.moved = HOUR
    perform = system.host._around.steps.perform
    system.host._around.steps.perform = lambda *_: asyncio.Event().wait()  # type: ignore[method-assign,assignment]
    order_id = await place(system, clock() + HOUR / 4, "tok_approve")
    system.host._around.steps.perform = perform  # type: ignore[method-assign]
    clock.moved = timedelta()

    restarted = host(system, clock)
    await restarted.recover(await system.journal.open_orders(range(256)))

    await reaches(system, order_id, "ACCEPTED")
    await asyncio.gather(*restarted._tasks)


async def test_after_a_restart_with_the_clock_set_back_a_deadline_is_as_long_as_was_promised(
    system: InProcess, clock: WallClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "utc_now", lambda: utc_now() - HOUR)
    order_id = await place(system, clock() + SOON)
    [due] = await system.journal.open_orders(range(256))
    assert due.order_id == order_id
    assert due.due_at <= utc_now() - HOUR + SOON


def test_no_order_is_ready_before_it_was_accepted() -> None:
    """The clock was set back between placement and ticket."""
    placed = ev.OrderPlaced("c-17", "gangnam", LINES, 100, "KRW", "hash", NOON + HOUR)
    approved: tuple[ev.Event, ...] = (
        placed,
        ev.PaymentRequested(1, 100),
        ev.PaymentApproved(1, "pay-1"),
    )
    stored = [ev.StoredEvent("o", n, event, NOON, "") for n, event in enumerate(approved, 1)]
    early = cmd.RecordTicket("", "A-001", datetime(2020, 1, 1, tzinfo=UTC))
    [started] = decide(fold(stored), early, NOON)
    assert isinstance(started, ev.PickupStarted)
    assert started.estimated_ready_at == NOON
