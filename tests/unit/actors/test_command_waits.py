"""A command is waited for: whoever waits for the provider gives up the place, and nobody else."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import msgspec
import pytest

from actors.client import AsyncSiren
from actors.command_waits import LATE_S, WORK_S
from actors.contracts.errors import Unavailable
from actors.contracts.messages import OrderReply, OrderRequest
from actors.installation import Installation
from actors.order.ids import new_order_id
from actors.runtime.rpc_client import RpcClient
from actors.settings import Settings
from cluster.peers import PEERS

PENDING = OrderReply(b"{}", 1, "PENDING", settled=False, replayed=False, attempt=None)
SETTLED = msgspec.structs.replace(PENDING, settled=True, replayed=True, version=2)
IN_TIME, LATE = WORK_S, LATE_S + 0.01
WAIT = 30.0


class Host:
    """An order host whose answers come when they are told to, by a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.answers: list[tuple[float, OrderReply | Unavailable]] = []
        self.asked: list[tuple[float, str]] = []
        """For how long each request waits, and what its sender does meanwhile."""
        self.sender = "works"

    async def ask(self, request: OrderRequest, _timeout: float) -> OrderReply:
        self.asked.append((request.wait, self.sender))
        took, answer = self.answers.pop(0)
        self.now += took
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    @contextmanager
    def waiting(self) -> Iterator[bool]:
        self.sender = "waits"
        yield True
        self.sender = "works"


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
async def siren(host: Host, tmp_path: Path) -> AsyncIterator[AsyncSiren]:
    siren = AsyncSiren(
        Installation(Settings(data_dir=tmp_path), bytes(32), order_hosts=1),
        PEERS,
    )
    siren._order_hosts = [cast(RpcClient, host)]
    siren.waiting = host.waiting
    yield siren
    await siren.close()


async def start(siren: AsyncSiren, host: Host, wait: float = WAIT) -> OrderReply:
    order_id = new_order_id(siren.installation, "c-1", None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.get_running_loop(), "time", lambda: host.now)
        return await siren.start(order_id, wait=wait)


async def test_whoever_waits_for_the_provider_waits_for_all_the_rest_without_a_place(
    siren: AsyncSiren, host: Host
) -> None:
    host.answers = [(IN_TIME, PENDING), (3.0, SETTLED)]
    reply = await start(siren, host)
    assert (reply.settled, reply.version, reply.replayed) == (True, 2, False)
    assert host.asked == [(WORK_S, "works"), (WAIT - IN_TIME, "waits")]


async def test_whoever_waits_for_the_system_keeps_the_place_until_it_is_in_time_again(
    siren: AsyncSiren, host: Host
) -> None:
    host.answers = [(LATE, PENDING), (LATE, PENDING), (IN_TIME, PENDING), (3.0, SETTLED)]
    assert (await start(siren, host)).settled
    rest = WAIT - 2 * LATE - IN_TIME
    assert [sender for _, sender in host.asked] == ["works", "works", "works", "waits"]
    assert [wait for wait, _ in host.asked] == pytest.approx([WORK_S, WORK_S, WORK_S, rest])


@pytest.mark.parametrize(
    ("wait", "took"), [(0.0, 0.01), (0.3, LATE), (WORK_S, IN_TIME), (WAIT, WORK_S / 2)]
)
async def test_nobody_asks_again_whose_time_is_over_or_who_was_answered_sooner(
    siren: AsyncSiren, host: Host, wait: float, took: float
) -> None:
    host.answers = [(took, PENDING)]
    assert await start(siren, host, wait) == PENDING
    assert host.asked == [(min(wait, WORK_S), "works")]


@pytest.mark.parametrize("took", [IN_TIME, LATE])
async def test_what_was_done_is_answered_whatever_comes_of_the_waiting(
    siren: AsyncSiren, host: Host, took: float
) -> None:
    host.answers = [(took, PENDING), (1.0, Unavailable("no_reply", "No answer."))]
    assert await start(siren, host) == PENDING
