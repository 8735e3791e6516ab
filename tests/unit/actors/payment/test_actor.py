"""The payment actor, as a plain class."""

from pathlib import Path
from types import SimpleNamespace

from actors.installation import Installation
from actors.payment.actor import PaymentActor
from actors.runtime.rpc_client import RpcClient
from actors.settings import Settings
from tests.support.payments import charge


async def test_the_actor_makes_its_tables_and_takes_requests(tmp_path: Path) -> None:
    actor = PaymentActor.__new__(PaymentActor)
    settings = Settings(data_dir=tmp_path)
    await actor.__init__(Installation(settings, b"", order_hosts=1))  # type: ignore[misc]

    handle = SimpleNamespace(endpoint=SimpleNamespace(remote=actor.endpoint))
    reply = await RpcClient(lambda: handle).ask(charge(), 10)

    assert reply.status == "APPROVED"
    assert (await actor.describe())["circuit"] == "closed"
