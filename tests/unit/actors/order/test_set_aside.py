"""An order that cannot be read, or a step that always fails, is set aside; its neighbours go on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from actors.contracts.errors import Damaged, Invalid, NotFound
from actors.contracts.errors import Invalid as Refused
from actors.order import failures, telling
from actors.order.domain import commands as cmd
from actors.order.host import OrderHost
from actors.order.ids import slots_of
from actors.order.journal_tables import events, order_private
from actors.order.telling import Stuck, count_stuck, story_of, stuck_orders
from actors.settings import Settings
from tests.support.services import InProcess
from tests.support.waiting import until

Poison = Callable[[InProcess, str], Awaitable[None]]


@pytest.fixture
async def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InProcess]:
    monkeypatch.setattr(failures, "WRITE_S", 0.0)
    async with InProcess(Settings(data_dir=tmp_path)) as system:
        yield system


async def change(system: InProcess, statement: Any) -> None:
    async with system.journal.database.write() as connection:
        await connection.execute(statement)


async def garbage(system: InProcess, order_id: str) -> None:
    mine = (events.c.order_id == order_id) & (events.c.version == 2)
    await change(system, update(events).where(mine).values(data="{"))


async def first_is_gone(system: InProcess, order_id: str) -> None:
    mine = (events.c.order_id == order_id) & (events.c.version == 1)
    await change(system, delete(events).where(mine))


async def no_time(system: InProcess, order_id: str) -> None:
    await change(system, text(f"UPDATE events SET at = 'noon' WHERE order_id = '{order_id}'"))
    await change(system, text(f"UPDATE open_orders SET due_at = 'x' WHERE order_id = '{order_id}'"))


async def does_not_fit(system: InProcess, order_id: str) -> None:
    mine = (events.c.order_id == order_id) & (events.c.version == 2)
    await change(system, update(events).where(mine).values(type="PaymentApproved", data=APPROVED))


APPROVED = '{"attempt":1,"payment_id":"p"}'


async def open_and_left(system: InProcess, count: int) -> list[str]:
    """Return orders that are paid for and left alone, as after a crash."""

    async def never(*_asked: object) -> Any:
        raise ConnectionError

    system.host._around.steps._payment.ask = never  # type: ignore[assignment, method-assign]
    order_ids = [await system.place(wait=0) for _ in range(count)]
    for task in system.host._tasks:
        task.cancel()
    return order_ids


async def recovered(system: InProcess) -> OrderHost:
    host = system.new_host()
    system._dedicated.append(host)  # ended with the system
    system.payment.ask = type(system.payment).ask.__get__(system.payment)  # type: ignore[method-assign]
    await host.recover(await system.journal.open_orders(slots_of(0, 1)))
    return host


@pytest.mark.parametrize("poison", [garbage, first_is_gone, no_time, does_not_fit])
async def test_a_poisoned_order_keeps_no_neighbour_from_being_recovered(
    system: InProcess, poison: Poison
) -> None:
    bad, *good = await open_and_left(system, 6)
    await poison(system, bad)
    await recovered(system)

    async def accepted() -> bool:
        return not [
            d for d in await system.journal.open_orders(slots_of(0, 1)) if d.order_id != bad
        ]

    await until(accepted)
    for order_id in good:
        assert (await story_of(system.journal, order_id)).order_status == "ACCEPTED"

    async def listed() -> list[Stuck]:
        return (await stuck_orders(system.journal))[1]

    (stuck,) = await until(listed)
    assert (stuck.order_id, stuck.what, stuck.verb) == (bad, "Load", "retry")
    assert stuck.set_aside
    assert await count_stuck(system.journal) == 1
    assert (await story_of(system.journal, bad)).untold is not None


async def test_a_mended_order_goes_on_when_it_is_told_to(system: InProcess) -> None:
    (bad,) = await open_and_left(system, 1)
    mine = (events.c.order_id == bad) & (events.c.version == 2)
    async with system.journal.database.read() as connection:
        whole = await connection.scalar(
            events.select().with_only_columns(events.c.data).where(mine)
        )
    await garbage(system, bad)
    host = await recovered(system)

    async def noted() -> bool:
        return await count_stuck(system.journal) == 1

    await until(noted)
    with pytest.raises(Damaged):
        await host.retry(bad)
    await change(system, update(events).where(mine).values(data=whole))
    await host.retry(bad)

    async def accepted() -> bool:
        return (await story_of(system.journal, bad)).order_status == "ACCEPTED"

    await until(accepted)
    assert (await stuck_orders(system.journal)) == (0, [])


async def test_a_step_that_is_always_refused_is_listed_and_the_order_can_be_cancelled(
    system: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorize = system.payments.charge
    refused: list[str] = []

    async def refuse(request: Any) -> Any:
        if not refused or request.order_id in refused:
            refused.append(request.order_id)
            raise Refused("bad_amount", "Payment takes no such amount.")
        return await authorize(request)

    monkeypatch.setattr(system.payments, "charge", refuse)
    bad = await system.place(wait=0)
    await until(lambda: refused)
    good = await system.place()
    assert (await story_of(system.journal, good)).order_status == "ACCEPTED"

    async def listed() -> list[Stuck]:
        return (await stuck_orders(system.journal))[1]

    (stuck,) = await until(listed)
    assert (stuck.order_id, stuck.code, stuck.verb) == (bad, "bad_amount", "cancel")
    await system.do(bad, cmd.CancelOrder, reason="owner_request", by="owner")
    story = await story_of(system.journal, bad)
    assert (story.order_status, story.waits) == ("CANCELED", ())
    assert [each.by for each in story.happened if each.type == "OrderCanceled"] == ["owner"]
    assert await stuck_orders(system.journal) == (0, [])


async def test_an_order_without_progress_is_listed_though_nobody_noted_a_failure(
    system: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    (order_id,) = await open_and_left(system, 1)
    assert await stuck_orders(system.journal) == (0, [])
    monkeypatch.setattr(telling, "STUCK_AFTER", timedelta(0))
    count, (stuck,) = await stuck_orders(system.journal)
    assert (count, stuck.order_id, stuck.code) == (1, order_id, "nobody_noted")


async def test_an_order_whose_private_row_is_gone_still_tells_its_store(system: InProcess) -> None:
    order_id = await system.place()
    mine = order_private.c.order_id == order_id
    await system.do(order_id, cmd.StartPreparation)
    await system.settle()
    await change(system, delete(order_private).where(mine))
    await change(
        system,
        text(f"INSERT INTO open_orders VALUES ('{order_id}', 0, 0, 5)"),
    )
    assert (await system.journal.load(order_id)).ticket_version == 5


async def test_what_was_is_told_of_any_version_that_there_was(system: InProcess) -> None:
    order_id = await system.place()
    story = await story_of(system.journal, order_id, 2)
    assert (story.version, story.order_status) == (2, "PLACED")
    assert [wait.what for wait in story.waits] == ["AuthorizePayment 1"]
    with pytest.raises(Invalid, match="versions 1 to 4"):
        await story_of(system.journal, order_id, 5)
    with pytest.raises(NotFound):
        await story_of(system.journal, "0" * 35)


async def test_a_host_tells_which_orders_it_has_and_what_they_wait_for(system: InProcess) -> None:
    order_ids = [await system.place() for _ in range(3)]
    count, found = system.host.live("gangnam", "ACCEPTED", 2)
    assert count == 3
    assert {each["order_id"] for each in found} <= set(order_ids)
    assert [wait.what for wait in found[0]["waits"]] == ["BaristaBegins"]
    assert system.host.live("nowhere", None, 9) == (0, [])
