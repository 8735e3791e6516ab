"""A channel to an actor without Ray: a stand-in for its handle tells where it listens."""

from collections.abc import Awaitable, Callable
from typing import Any

from actors.contracts.messages import Message, RefundRequest, TicketReply
from actors.runtime.rpc_client import RpcClient
from actors.runtime.rpc_link import Endpoint
from actors.runtime.rpc_server import RpcServer

PATIENCE = 30.0
LOOPBACK = "127.0.0.1"
Handle = Callable[[RefundRequest], Awaitable[Message]]


def ask_for(order_id: str) -> RefundRequest:
    return RefundRequest(order_id, 1)


async def echo(request: RefundRequest) -> TicketReply:
    return TicketReply(request.order_id)


class Callee:
    """What a channel sees of an actor: where it listens. `faults` come instead, one each time."""

    def __init__(self, handle: Handle) -> None:
        self.handled: list[str] = []
        self.faults: list[Exception | Endpoint] = []
        self._handle = handle
        self.server = RpcServer(self._observed, LOOPBACK)
        self.endpoint = self

    async def remote(self) -> Endpoint:
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        return fault or await self.server.endpoint()

    async def _observed(self, request: RefundRequest) -> Message:
        self.handled.append(request.order_id)
        return await self._handle(request)

    def cut(self) -> None:
        """Cut all connections, as the death of the process does."""
        for link in list(self.server._callers):
            link.abort()

    async def stop_listening(self) -> None:
        self.cut()
        if self.server._listening is not None:
            server = await self.server._listening
            server.close()
            await server.wait_closed()


class Wire:
    """A channel and the actor at its other end."""

    def __init__(self) -> None:
        self.channel = RpcClient(self.connect)
        self.connected = 0
        self.callees: list[Callee] = []
        self.missing: list[Exception] = []
        self.serve(echo)

    @property
    def callee(self) -> Callee:
        return self.callees[-1]

    def serve(self, handle: Handle) -> Callee:
        self.callees.append(Callee(handle))
        return self.callee

    def connect(self) -> Any:
        self.connected += 1
        if self.missing:
            raise self.missing.pop(0)
        return self.callee

    async def ask(self, order_id: str, timeout: float = PATIENCE) -> Any:
        return await self.channel.ask(ask_for(order_id), timeout)
