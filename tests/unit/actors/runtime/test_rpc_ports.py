"""Actors listen on the ports that a firewall leaves open."""

import asyncio
import socket
from contextlib import ExitStack

import pytest

from actors.contracts.messages import RefundRequest, TicketReply
from actors.runtime.rpc_server import RpcServer
from actors.settings import Settings

LOOPBACK = "127.0.0.1"


async def echo(request: RefundRequest) -> TicketReply:
    return TicketReply(request.order_id)


def neighbours(count: int) -> range:
    """Return ports side by side of which all were free a moment ago."""
    for first in range(21_000, 30_000, count):
        with ExitStack() as held:
            try:
                for port in range(first, first + count):
                    held.enter_context(socket.socket()).bind((LOOPBACK, port))
            except OSError:
                continue
            return range(first, first + count)
    raise AssertionError("no ports are free")


async def test_actors_share_a_range_of_ports_one_each() -> None:
    ports = neighbours(3)
    servers = [RpcServer(echo, LOOPBACK, ports) for _ in ports]

    found = [(await server.endpoint()).port for server in servers]

    assert sorted(found) == list(ports)


async def test_an_actor_for_which_no_port_is_left_says_so_until_one_is() -> None:
    (port,) = ports = neighbours(1)
    server = RpcServer(echo, LOOPBACK, ports)
    other = await asyncio.start_server(lambda _reader, _writer: None, LOOPBACK, port)

    with pytest.raises(OSError, match="in use"):
        await server.endpoint()
    other.close()
    await other.wait_closed()

    assert (await server.endpoint()).port == port


def test_a_range_of_ports_has_both_its_ends() -> None:
    assert Settings(actor_ports="31000-31099").ports_of_actors == range(31000, 31100)


def test_without_a_range_any_port_will_do() -> None:
    assert Settings().ports_of_actors == range(1)


@pytest.mark.parametrize(
    "wrong", ["31000", "31099-31000", "0-10", "31000-", "a-b", "31000-70000", "", "-1-5", "٣-٤"]
)
def test_what_is_no_range_of_ports_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="two ports"):
        Settings(actor_ports=wrong)
