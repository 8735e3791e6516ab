"""Requests that race each other, and an incarnation that does not know that it was succeeded."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import httpx
import pytest

from actors.contracts.errors import Rejected
from actors.contracts.messages import OrderReply, OrderRequest
from actors.order.command_codec import pack_command
from actors.order.domain import commands as cmd
from actors.order.host import OrderHost
from actors.order.journal import Journal
from actors.order.steps import Steps
from actors.runtime.rpc_client import RpcClient
from cluster.client import find_installation
from cluster.peers import PEERS
from tests.support.outside import (
    ASYNC,
    SETTLED,
    accepted,
    assert_agreed,
    card,
    headers,
    history,
    new_order,
    place,
    post,
    reaches,
)
from tests.support.system import System

ROUNDS = 12


def at_once(*requests: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Send requests from one thread each, as close together as threads get."""
    ready = Barrier(len(requests))

    def send(request: Callable[[], httpx.Response]) -> httpx.Response:
        ready.wait()
        return request()

    with ThreadPoolExecutor(len(requests)) as clients:
        return list(clients.map(send, requests))


def test_twenty_requests_with_one_key_are_one_order(system: System) -> None:
    order, key = new_order(), uuid4().hex
    answers = at_once(*[lambda: system.http.post("/orders", json=order, headers=headers(key))] * 20)
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] * 19 + [201]
    assert len({answer.json()["order_id"] for answer in answers}) == 1
    for answer in answers:
        replayed = answer.headers.get("idempotency-replayed") == "true"
        assert replayed == (answer.status_code == 200)
    order_id = answers[0].json()["order_id"]
    reaches(system, order_id, "ACCEPTED")
    books = assert_agreed(system, order_id)
    assert (len(books.charges), len(books.tickets)) == (1, 1)


def test_a_cancel_that_races_a_start_has_one_winner_and_all_agree_who(system: System) -> None:
    winners = set()
    for _ in range(ROUNDS):
        order_id = accepted(system)
        cancel, start = at_once(
            lambda path=f"/orders/{order_id}/cancel": post(system, path),  # type: ignore[misc]
            lambda path=f"/pickups/{order_id}/start": post(system, path),  # type: ignore[misc]
        )
        assert sorted([cancel.status_code, start.status_code]) == [200, 409]
        winner = "OrderCanceled" if cancel.is_success else "PreparationStarted"
        loser = {"OrderCanceled": "PreparationStarted", "PreparationStarted": "OrderCanceled"}
        status = {"OrderCanceled": "CANCELED", "PreparationStarted": "PREPARING"}[winner]
        detail = reaches(system, order_id, status)
        assert winner in history(system, order_id)
        assert loser[winner] not in history(system, order_id)
        books = assert_agreed(system, order_id)
        assert books.tickets[0]["status"] == status == detail["pickup_status"]
        assert books.payments[0]["status"] == ("CANCELED" if cancel.is_success else "APPROVED")
        winners.add(winner)
    print(f"winners of {ROUNDS} races: {winners}")


def test_two_payments_at_once_charge_once(system: System) -> None:
    order_id = place(system, new_order(None))["order_id"]
    path = f"/orders/{order_id}/payment"
    answers = at_once(*[lambda: post(system, path, card())] * 2)
    assert sorted(answer.status_code for answer in answers) in ([200, 409], [200, 200])
    reaches(system, order_id, "ACCEPTED")
    assert len(assert_agreed(system, order_id).charges) == 1


# --- a zombie: a second incarnation on the same databases, in this process ------------------------


class Zombie:
    """An order host that is not the one that the gateway talks to."""

    def __init__(self) -> None:
        it = find_installation()
        self._journal = Journal(it.settings.url("journal"))
        steps = Steps(RpcClient(lambda: PEERS.payment(it)), RpcClient(lambda: PEERS.store(it)))
        self._host = OrderHost(self._journal, steps, lambda: None, passivate_after_s=600)

    async def do(self, order_id: str, command: cmd.Command) -> OrderReply:
        """Carry a command out as the living incarnation would."""
        return await self._host.handle(OrderRequest(order_id, pack_command(command), 30))

    async def end(self) -> None:
        """Stop everything that this process still does for its orders."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._journal.close()

    async def remember(self, order_id: str) -> None:
        """Take an order into memory, where it stays as it is now."""
        await self._host.take_up([order_id])


@pytest.fixture
async def zombie(system: System) -> AsyncIterator[Zombie]:
    with system.ray():
        zombie = Zombie()
        yield zombie
        await zombie.end()


async def test_a_zombie_that_starts_what_was_cancelled_loses_and_agrees(
    system: System, zombie: Zombie
) -> None:
    order_id = accepted(system)
    await zombie.remember(order_id)
    assert post(system, f"/orders/{order_id}/cancel").status_code == 200

    with pytest.raises(Rejected):
        await zombie.do(order_id, cmd.StartPreparation(uuid4().hex))

    reaches(system, order_id, "CANCELED")
    assert "PreparationStarted" not in history(system, order_id)
    assert_agreed(system, order_id)


async def test_a_zombie_that_cancels_what_was_started_loses_and_agrees(
    system: System, zombie: Zombie
) -> None:
    order_id = accepted(system)
    await zombie.remember(order_id)
    assert post(system, f"/pickups/{order_id}/start").status_code == 200

    with pytest.raises(Rejected):
        await zombie.do(order_id, cmd.CancelOrder(uuid4().hex, "too late"))

    reaches(system, order_id, "PREPARING")
    assert_agreed(system, order_id)


async def test_a_zombie_and_its_successor_run_one_saga_and_charge_once(
    system: System, zombie: Zombie
) -> None:
    order_id = place(system, new_order("tok_slow_600"), prefer=ASYNC)["order_id"]
    await zombie.remember(order_id)  # from here on both run every step of it
    reaches(system, order_id, "ACCEPTED")
    books = assert_agreed(system, order_id)
    assert (len(books.charges), len(books.tickets)) == (1, 1)
    assert history(system, order_id).count("PaymentApproved") == 1


async def test_a_zombie_that_pays_what_was_paid_is_told_so(system: System, zombie: Zombie) -> None:
    order_id = place(system, new_order(None))["order_id"]
    await zombie.remember(order_id)
    paid = post(system, f"/orders/{order_id}/payment", card(), prefer=SETTLED)
    assert paid.status_code == 200

    with pytest.raises(Rejected):
        await zombie.do(order_id, cmd.PayOrder(uuid4().hex, "tok_approve"))

    reaches(system, order_id, "ACCEPTED")
    assert len(assert_agreed(system, order_id).charges) == 1
