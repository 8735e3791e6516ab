"""The saga on real services: the ticket runs ahead of the journal, and is undone if need be."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from actors.contracts.errors import Unavailable, UnknownEvent
from actors.contracts.messages import TicketReply, TicketRequest
from actors.order import step_runner, steps
from actors.order.domain import commands as cmd
from actors.order.histories import History
from actors.order.journal import Due
from actors.order.journal_appends import Append
from actors.order.virtual_order import VirtualOrder
from actors.settings import Settings
from tests.support.services import Direct, InProcess, direct
from tests.support.waiting import until


class Watched(InProcess):
    """The system, with a look at what reaches store and journal."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.appends: list[list[str]] = []
        self.asked: list[object] = []
        self.store_answers = asyncio.Event()
        self.store_answers.set()
        self._append = self.journal.append
        self.journal.append = self._noted  # type: ignore[method-assign]
        self.store = direct(self._store)
        self.host = self.new_host()

    async def crash(self) -> None:
        """End the host in the middle of whatever it does, and begin with another."""
        for task in self.host._tasks:
            task.cancel()
        await asyncio.gather(*self.host._tasks, return_exceptions=True)
        self.host = self.new_host()

    async def _store(self, message: Any) -> object:
        await self.store_answers.wait()
        self.asked.append(message)
        return await self.stores.handle(message)

    async def _noted(self, append: Append) -> int:
        self.appends.append([type(stored.event).__name__ for stored in append.events])
        return await self._append(append)


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[Watched]:
    async with Watched(Settings(data_dir=tmp_path)) as system:
        yield system


async def events(system: Watched, order_id: str) -> list[str]:
    history = await system.journal.load(order_id)
    return [type(stored.event).__name__ for stored in history.events]


async def reaches(system: Watched, order_id: str, event: str) -> None:
    async def there() -> bool:
        return (await events(system, order_id))[-1] == event

    await until(there)


async def live_charges(system: Watched, order_id: str) -> bool:
    charge = await system.provider.find(f"{order_id}:1")
    return charge is not None and charge.status == "APPROVED"


async def test_approval_and_ticket_are_written_down_together(system: Watched) -> None:
    await system.place()
    assert system.appends == [
        ["OrderPlaced", "PaymentRequested"],
        ["PaymentApproved", "PickupStarted"],
    ]


async def test_a_refused_ticket_is_written_down_with_its_approval_and_refunded(
    system: Watched,
) -> None:
    order_id = await system.place(store_id="nowhere")
    assert system.appends[1:] == [
        ["PaymentApproved", "PickupRejected", "OrderCanceled"],
        ["PaymentCanceled"],
    ]
    assert not await live_charges(system, order_id)


async def test_an_approval_does_not_wait_for_a_store_that_is_silent(
    system: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "TICKET_PATIENCE_S", 0.02)
    system.store_answers.clear()
    placing = asyncio.ensure_future(system.place())
    await until(lambda: len(system.appends) >= 2)
    assert system.appends[1] == ["PaymentApproved"]
    system.store_answers.set()
    order_id = await placing
    assert (await events(system, order_id))[-1] == "PickupStarted"
    opened = [message for message in system.asked if isinstance(message, TicketRequest)]
    assert opened, "asked again, under the same order"
    reply = await system.stores.handle(opened[0])
    assert isinstance(reply, TicketReply)
    assert reply.number == "A-001", "one ticket, however often it was asked for"


async def placed_and_crashed_before_the_approval_was_written(system: Watched) -> str:
    """Payment has its approval and the store its ticket; the journal knows of neither."""
    crashed = asyncio.Event()

    async def never(append: Append) -> int:
        if not append.events or type(append.events[0].event).__name__ == "PaymentApproved":
            crashed.set()
            await asyncio.Event().wait()
        return await written(append)

    written = system.journal.append
    system.journal.append = never  # type: ignore[method-assign]
    order_id = await system.place(wait=0)
    await crashed.wait()
    await system.crash()
    system.journal.append = written  # type: ignore[method-assign]
    assert any(isinstance(message, TicketRequest) for message in system.asked)
    assert await events(system, order_id) == ["OrderPlaced", "PaymentRequested"]
    return order_id


async def test_after_a_crash_the_same_charge_and_ticket_are_found(system: Watched) -> None:
    order_id = await placed_and_crashed_before_the_approval_was_written(system)
    await system.host.take_up([order_id])
    await system.settle()
    assert (await events(system, order_id))[2:] == ["PaymentApproved", "PickupStarted"]
    row = await system.stores.handle(TicketRequest(order_id, "gangnam", (), None))
    assert isinstance(row, TicketReply)
    assert row.number == "A-001"


async def test_a_cancellation_that_comes_first_undoes_a_ticket_that_the_journal_never_knew(
    system: Watched,
) -> None:
    order_id = await placed_and_crashed_before_the_approval_was_written(system)
    system.host._around.steps._payment, silent = (
        cast(Any, _Silent()),
        system.host._around.steps._payment,
    )
    await system.do(order_id, cmd.CancelOrder, wait=0, reason="changed my mind")
    system.host._around.steps._payment = silent
    await system.crash()
    await system.host.take_up([order_id])
    await system.settle()
    assert (await events(system, order_id))[2:] == [
        "OrderCanceled",
        "PickupCanceled",
        "PaymentCanceled",
    ]
    assert not await live_charges(system, order_id)
    row = await system.stores.handle(TicketRequest(order_id, "gangnam", (), None))
    assert isinstance(row, TicketReply)
    assert row.status == "CANCELED"


async def test_a_cancellation_before_the_approval_leaves_the_store_alone(system: Watched) -> None:
    order_id = await system.place("tok_slow_60000", wait=0)
    await system.do(order_id, cmd.CancelOrder, reason="changed my mind")
    assert (await events(system, order_id))[2:] == ["OrderCanceled", "PaymentCanceled"]
    assert system.asked == []


async def test_recovery_takes_up_some_steps_at_a_time_and_a_new_order_goes_first(
    system: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_runner, "RECOVERING", 2)
    system.host._around.steps._payment = cast(Any, _Silent())
    waiting = [await system.place(wait=0) for _ in range(20)]
    asked: list[str] = []
    await system.crash()
    payment = _Held(system.payments.handle, asked)
    system.host._around.steps._payment = cast(Any, payment)
    await system.host.take_up(waiting)
    await payment.reached(2)
    new = await system.place(wait=0)
    await payment.reached(3)
    assert asked[2] == new
    payment.release.set()
    await system.settle()
    for order_id in (*waiting, new):
        assert (await events(system, order_id))[-1] == "PickupStarted"


async def test_an_order_that_cannot_be_read_keeps_no_other_from_being_recovered(
    system: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.host._around.steps._payment = cast(Any, _Silent())
    broken, whole = [await system.place(wait=0) for _ in range(2)]
    await system.crash()
    original = VirtualOrder._restore

    def restore(order: VirtualOrder, history: History, *, recovered: bool = False) -> None:
        if order.order_id == broken:
            raise UnknownEvent("FromTheFuture", 1)
        original(order, history, recovered=recovered)

    monkeypatch.setattr(VirtualOrder, "_restore", restore)
    now = datetime.now(UTC)
    await system.host.recover([Due(broken, now), Due(whole, now)])
    await reaches(system, whole, "PickupStarted")


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "not stored"])
async def test_an_append_whose_outcome_is_unknown_leaves_no_order_alone(
    system: Watched, *, stored: bool
) -> None:
    """The customer gave up, too: whatever is in the journal is carried on by itself."""
    order_id = await system.place()
    written = system.journal.append

    async def unsure(append: Append) -> int:
        system.journal.append = written  # type: ignore[method-assign]
        if stored:
            await written(append)
        raise Unavailable("database_unavailable", "The connection was cut.")

    system.journal.append = unsure  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await system.do(order_id, cmd.CancelOrder, reason="changed my mind")
    await system.settle()
    last = "PaymentCanceled" if stored else "PickupStarted"
    assert (await events(system, order_id))[-1] == last


async def test_recovery_looks_after_an_order_whose_command_fails_meanwhile(
    system: Watched,
) -> None:
    """The customer's repeat holds the mailbox while the host recovers, and its append fails."""
    system.host._around.steps._payment = cast(Any, _Silent())
    order_id = await system.place(wait=0)
    await system.crash()
    order = system.host._activate(order_id)
    async with order.mailbox:
        await system.host.take_up([order_id])
        system.host._let_go(order)  # as a placement does that did not come to an order
    await reaches(system, order_id, "PickupStarted")


class _Silent:
    """A payment service that never answers."""

    async def ask(self, _request: object, _timeout: float) -> Any:
        await asyncio.Event().wait()


class _Held(Direct):
    """A payment service that answers once it is released, and notes who asked."""

    def __init__(self, handle: Any, asked: list[str]) -> None:
        super().__init__(handle)
        self.asked = asked
        self.release = asyncio.Event()

    async def ask(self, request: Any, timeout: float) -> Any:
        self.asked.append(request.order_id)
        await self.release.wait()
        return await super().ask(request, timeout)

    async def reached(self, count: int) -> None:
        await until(lambda: len(self.asked) >= count)
