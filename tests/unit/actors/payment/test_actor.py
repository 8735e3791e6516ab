"""The payment actor, as a plain class."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.installation import Installation
from actors.payment.actor import PaymentActor
from actors.runtime.rpc_client import RpcClient
from actors.settings import Settings
from tests.support.payments import charge
from tests.support.waiting import until


@pytest.fixture
async def actor(tmp_path: Path) -> PaymentActor:
    actor = PaymentActor.__new__(PaymentActor)
    settings = Settings(data_dir=tmp_path)
    await actor.__init__(Installation(settings, b"", order_hosts=1))  # type: ignore[misc]
    return actor


def channel_to(actor: PaymentActor) -> RpcClient:
    handle = SimpleNamespace(endpoint=SimpleNamespace(remote=actor.endpoint))
    return RpcClient(lambda: handle)


async def test_the_actor_makes_its_tables_and_takes_requests(actor: PaymentActor) -> None:
    reply = await channel_to(actor).ask(charge(), 10)

    assert reply.status == "APPROVED"
    assert (await actor.describe())["circuit"] == "closed"


async def test_that_the_provider_keeps_it_waiting_is_no_trouble_and_that_a_commit_does_is(
    actor: PaymentActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("hanging", "rpc_server"):
        monkeypatch.setattr(f"actors.runtime.{module}.PATIENCE_S", 0.1)
    monkeypatch.setattr("actors.runtime.waits.SLOW_S", 0.01)
    channel = channel_to(actor)
    waiting = asyncio.ensure_future(channel.ask(charge("tok_slow_9999999"), 60))
    for _ in range(20):
        assert actor._trouble() is None
        await asyncio.sleep(0.02)

    async def never(_batch: list[Any]) -> list[Any]:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(actor._service._ledger._changes, "_flush", never)
    hanging = asyncio.ensure_future(channel.ask(charge(order_id="b"), 60))
    await until(lambda: actor._trouble() is not None)
    assert "a batch" in (actor._trouble() or "")
    for request in (waiting, hanging):
        request.cancel()
