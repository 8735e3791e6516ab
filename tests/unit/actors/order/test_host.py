"""Which orders are in memory: none is let go while somebody needs it, and none stays for ever."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from actors.contracts.errors import NotFound, Rejected, Unavailable
from actors.contracts.messages import OrderRequest
from actors.contracts.values import PrivateData
from actors.order import virtual_order
from actors.order.command_codec import pack_command
from actors.order.domain import commands as cmd
from actors.order.host import OrderHost
from actors.runtime.rpc_link import STANDSTILL_S
from actors.settings import Settings
from tests.support.orders import LINES
from tests.support.services import InProcess
from tests.support.waiting import until


class Silent:
    """A payment service that never answers, and notes whose charges it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(self, request: Any, _timeout: float) -> Any:
        self.asked.append(request.order_id)
        await asyncio.Event().wait()


class Held:
    """The journal's next call of a method: it waits until it is released, and then may fail."""

    def __init__(self, system: InProcess, method: str, error: Exception | None = None) -> None:
        self.begun, self.release = asyncio.Event(), asyncio.Event()
        self._journal, self._method, self._error = system.journal, method, error
        self._carry_out = getattr(system.journal, method)
        setattr(system.journal, method, self._held)

    async def _held(self, argument: object) -> Any:
        setattr(self._journal, self._method, self._carry_out)
        self.begun.set()
        await self.release.wait()
        if self._error is not None:
            raise self._error
        return await self._carry_out(argument)


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[InProcess]:
    async with InProcess(Settings(data_dir=tmp_path)) as system:
        yield system


def passivate_all(host: OrderHost) -> None:
    host.passivate_after_s = 0
    host.passivate_idle()


async def test_an_order_is_in_memory_once_although_its_placement_failed_while_a_repeat_waited(
    system: InProcess,
) -> None:
    payment = Silent()
    system.host._around.steps._payment = cast(Any, payment)
    order_id, due = uuid4().hex, datetime.now(UTC) + timedelta(minutes=15)
    private = PrivateData("영욱", "010-1234-5678", "tok_approve")
    order = cmd.PlaceOrder(
        "k", "c-17", "gangnam", LINES, "KRW", "hash", due, pay=True, private=private
    )
    append = Held(system, "append", Unavailable("database_unavailable", "The connection was cut."))
    failing = asyncio.create_task(system.send(order_id, order, wait=0))
    await append.begun.wait()
    repeated = asyncio.create_task(system.send(order_id, order, wait=0))
    await asyncio.sleep(0)
    append.release.set()
    with pytest.raises(Unavailable):
        await failing
    await repeated
    with pytest.raises(Rejected):
        await system.do(order_id, cmd.MarkReady)
    await asyncio.sleep(0.05)  # whoever would charge has begun by now
    assert payment.asked == [order_id], "by one incarnation, not by one for each of two"


async def test_an_order_is_not_let_go_between_one_command_and_the_next_that_waits(
    system: InProcess,
) -> None:
    order_id = await system.place()
    await system.settle()
    load = Held(system, "load")

    async def refused_then_swept() -> None:
        with pytest.raises(Rejected):
            await system.do(order_id, cmd.MarkReady)
        passivate_all(system.host)  # the mailbox is free, and the next one has not noticed

    first = asyncio.create_task(refused_then_swept())
    await load.begun.wait()
    second = asyncio.create_task(system.do(order_id, cmd.StartPreparation))
    await asyncio.sleep(0)
    load.release.set()
    await asyncio.gather(first, second)
    assert order_id in system.host
    await system.settle()
    passivate_all(system.host)
    assert order_id not in system.host


async def test_an_order_that_does_not_exist_is_let_go_by_the_last_who_asked_for_it(
    system: InProcess,
) -> None:
    load = Held(system, "load")
    asking = [asyncio.create_task(system.do("0" * 32, cmd.MarkReady)) for _ in range(3)]
    await load.begun.wait()
    load.release.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(answer) for answer in answers] == [NotFound] * 3
    assert len(system.host) == 0


async def test_who_gives_up_waiting_for_the_mailbox_keeps_no_order_in_memory(
    system: InProcess,
) -> None:
    order_id = await system.place()
    await system.settle()
    load = Held(system, "load")
    first = asyncio.create_task(system.do(order_id, cmd.MarkReady))
    await load.begun.wait()
    second = asyncio.create_task(system.do(order_id, cmd.MarkReady))
    await asyncio.sleep(0)
    second.cancel()
    load.release.set()
    with pytest.raises(Rejected):
        await first
    with pytest.raises(asyncio.CancelledError):
        await second
    assert not system.host.busy
    passivate_all(system.host)
    assert order_id not in system.host


async def test_who_gives_up_waiting_for_an_answer_keeps_no_order_in_memory(
    system: InProcess,
) -> None:
    order_id = await system.place("tok_slow_300", wait=0)
    waiting = asyncio.create_task(system.do(order_id, cmd.CancelOrder, reason="too slow"))
    while not system.host._live[order_id]._waiters:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await system.settle()
    assert not system.host.busy
    passivate_all(system.host)
    assert order_id not in system.host


async def test_a_mailbox_that_is_never_left_is_told_and_one_that_waits_for_the_journal_is_not(
    system: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.order.host.PATIENCE_S", 0.05)
    order_id = await system.place()
    await system.settle()
    assert system.host.trouble() is None
    load = Held(system, "load")
    passivate_all(system.host)
    working = asyncio.create_task(system.do(order_id, cmd.StartPreparation))
    await load.begun.wait()
    await until(lambda: system.host.trouble() is not None)
    assert "mailbox" in (system.host.trouble() or "")
    with system.journal.database.waits.up_to(60):
        monkeypatch.setattr("actors.runtime.waits.SLOW_S", 0.0)
        assert system.host.trouble() is None
    load.release.set()
    await working
    assert system.host._held == {}


# --- a host that stood still, and may have been replaced meanwhile --------------------------------


class Awake:
    """The seconds that a host counts; `stand_still` is a SIGSTOP, and a SIGCONT much later."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def stand_still(self) -> None:
        self.now += STANDSTILL_S + 1


@pytest.fixture
def awake(monkeypatch: pytest.MonkeyPatch) -> Awake:
    awake = Awake()
    monkeypatch.setattr(virtual_order, "monotonic", awake)
    return awake


@pytest.mark.parametrize("where", ["load", "append"])
async def test_what_a_host_had_in_hand_when_it_stood_still_is_decided_no_more(
    system: InProcess, awake: Awake, where: str
) -> None:
    """Its successor may have refused it by then."""
    order_id = await system.place()
    await system.settle()
    if where == "load":
        passivate_all(system.host)
    held = Held(system, where)
    starting = asyncio.create_task(system.do(order_id, cmd.StartPreparation))
    await held.begun.wait()
    if where == "append":  # which meets a version that is taken
        successor = OrderHost(
            system.journal, system.host._around.steps, lambda: None, passivate_after_s=600
        )
        erasure = pack_command(cmd.EraseCustomer(uuid4().hex))
        await successor.handle(OrderRequest(order_id, erasure, 0))
    awake.stand_still()
    held.release.set()
    with pytest.raises(Unavailable, match="too_late"):
        await starting
    assert (await system.do(order_id, cmd.StartPreparation)).order_status == "PREPARING"
