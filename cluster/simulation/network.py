"""The network: each request and each reply is a message that may be lost, late, or there twice.

Stands in for `RpcClient` and `RpcServer`. What they promise holds: what is lost with its connection
is sent again, also to the successor of whoever died or was replaced; a caller waits no longer than
its timeout; and who has stood still hangs up on what has waited for it meanwhile.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.contracts.errors import INTERNAL_ERROR, SirenError, Unavailable
from actors.contracts.messages import Message, OrderReply
from actors.runtime.message_codec import pack, unpack
from cluster.simulation.chance import NUDGE, REPLY, REQUEST, Fault, place
from cluster.simulation.loop import Incarnation
from cluster.simulation.ports import Port

if TYPE_CHECKING:
    from cluster.simulation.world import World

STANDSTILL_S = 1.9
"""Stands in for production's: whoever stands still for longer may have a successor by then (see
`World.stop`)."""


class Call:
    """A request that somebody waits for. `target`: who got it last."""

    __slots__ = ("data", "future", "name", "role", "sender", "target")

    def __init__(
        self, sender: Incarnation, role: str, request: Message, future: asyncio.Future[bytes]
    ) -> None:
        self.sender = sender
        self.role = role
        self.data = pack(request)
        self.name = type(request).__name__
        self.future = future
        self.target: Incarnation | None = None


class Channel(Port):
    """The way to one service, whichever incarnation of it there is."""

    def __init__(self, world: "World", role: Callable[[], str]) -> None:
        self._world = world
        self._role = role

    async def ask(self, request: Message, timeout: float) -> Any:
        """See `RpcClient.ask`."""
        loop = self._world.loop
        future: asyncio.Future[bytes] = loop.create_future()
        call = Call(loop.current, self._role(), request, future)
        network = self._world.network
        network.open[call] = None
        network.send(call)
        expiry = loop.call_later(timeout, _expire, future)
        try:
            reply = unpack(await future)
        finally:
            expiry.cancel()
            network.open.pop(call, None)
        if isinstance(reply, SirenError):
            raise reply
        return reply


class Nudges(Port):
    """Stands in for `Nudge`: a hint on its way to a projector; at most one at a time."""

    def __init__(self, world: "World", role: str) -> None:
        self._world = world
        self._role = role
        self.under_way = False

    def __call__(self) -> None:
        """Send a hint."""
        world = self._world
        sender = world.loop.current
        if self.under_way or sender.dead:
            return
        fault, bits = world.chance.draw(place(f"{sender.role} → {self._role}: nudge", NUDGE))
        if fault is not None:
            world.tell_fault(f"the nudge {sender} → {self._role}", fault)
        if fault is not Fault.SWALLOWED:
            self.under_way = True
            delay = world.network.delay_s(bits, fault)
            world.loop.at(world.loop.now + delay, world.itself, self._arrive)

    def _arrive(self) -> None:
        self.under_way = False
        target = self._world.registry.get(self._role)
        if target is not None and not target.dead:
            with self._world.loop.within(target):
                self._world.loop.create_task(target.service.nudge())


class Network:
    """What is under way. `open` are the requests that have no answer yet."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.open: dict[Call, None] = {}
        self.unlikely: list[bytes] = []
        """Requests that are carried twice, or later than anybody waits for: TCP does neither."""
        self._waiting: dict[str, list[Call]] = {}
        self.constant = False
        """Whether all messages take the same time."""

    def forget(self) -> None:
        """Begin anew."""
        self.open.clear()
        self.unlikely.clear()
        self._waiting.clear()

    def delay_s(self, bits: int, fault: Fault | None) -> float:
        """Return how long a message takes: milliseconds, now and then up to a second."""
        late = 0.5 + (bits >> 40 & 0xFF) / 12 if fault is Fault.DELAYED else 0.0
        if self.constant:
            return 0.002 + late
        slow = (bits >> 32 & 0xFF) / 256 if not bits >> 28 & 0xF else 0.0
        return 0.001 + (bits >> 20 & 0xFF) / 16_000 + slow + late

    def send(self, call: Call) -> None:
        """Send a request on its way."""
        world, sender = self._world, call.sender
        if sender.dead or call.future.done():
            return
        fault, bits = world.chance.draw(place(f"{sender.role} → {call.role}: request", REQUEST))
        delay, now = self.delay_s(bits, fault), world.loop.now
        if world.trace is not None:
            world.tell(f"{sender} → {call.role}: {call.name}{world.described(call.data)}")
        if fault is not None:
            world.tell_fault(f"{call.name} {sender} → {call.role}", fault)
            if fault is Fault.SWALLOWED:
                return
            if fault is Fault.DROPPED:
                self._again(call, bits)
                return
            if fault is Fault.TWICE:
                self.unlikely.append(call.data)
                again = now + delay + 0.002 + (bits >> 48 & 0xFF) / 64
                world.expect(world.loop.at(again, world.itself, self._deliver, call))
        deliver = world.loop.at(now + delay, world.itself, self._deliver, call)
        if fault is Fault.DELAYED:
            world.expect(deliver)

    def _again(self, call: Call, bits: int) -> None:
        pause = 0.02 + (bits >> 40 & 0x3F) / 64
        self._world.loop.at(self._world.loop.now + pause, call.sender, self.send, call)

    def _deliver(self, call: Call) -> None:
        world = self._world
        target = world.registry.get(call.role)
        if target is None or target.dead:
            self._waiting.setdefault(call.role, []).append(call)
            return
        if call not in self.open:
            self.unlikely.append(call.data)
        call.target = target
        with world.loop.within(target):
            awake_at = world.loop.now if target.held is None else target.stopped_at
            world.loop.create_task(self._serve(call, target, awake_at))

    async def _serve(self, call: Call, target: Incarnation, awake_at: float) -> None:
        if self._world.loop.now - awake_at > STANDSTILL_S:
            self._again(call, self._world.chance.seed)
            return
        request = unpack(call.data)
        try:
            reply = await target.service.handle(request)
            if type(reply) is OrderReply:
                self._world.record.answers(request.order_id, reply.version)
            data = pack(reply)
        except SirenError as error:
            data = pack(error)
        except Exception as error:  # noqa: BLE001 - what the server does; and it is told
            self._world.record.surprised_by(error)
            data = pack(Unavailable(INTERNAL_ERROR, "The service failed; ask again."))
        self._reply(call, target, data)

    def _reply(self, call: Call, target: Incarnation, data: bytes) -> None:
        world = self._world
        if target.dead:
            return
        at = place(f"{target.role} → {call.sender.role}: reply", REPLY)
        fault, bits = world.chance.draw(at)
        if world.trace is not None:
            world.tell(f"{target} → {call.sender}: {world.described(data)}")
        if fault is not None:
            world.tell_fault(f"the reply {target} → {call.sender}", fault)
            if fault is Fault.SWALLOWED:
                return
            if fault is Fault.DROPPED:
                self._again(call, bits)
                return
        when = world.loop.now + self.delay_s(bits, fault)
        world.loop.at(when, world.itself, self._answer, call, data)

    def _answer(self, call: Call, data: bytes) -> None:
        if not call.sender.dead and not call.future.done():
            with self._world.loop.within(call.sender):
                call.future.set_result(data)

    def lost(self, target: Incarnation) -> None:
        """Send again what a dead or replaced incarnation has not answered."""
        for call in list(self.open):
            if call.sender.dead:
                del self.open[call]
            elif call.target is target:
                call.target = None
                self._again(call, self._world.chance.seed)

    def arrived(self, role: str) -> None:
        """Deliver what has waited for somebody to be there."""
        for call in self._waiting.pop(role, ()):
            if not call.sender.dead and not call.future.done():
                self._deliver(call)


def _expire(future: asyncio.Future[bytes]) -> None:
    if not future.done():
        future.set_exception(Unavailable("no_reply", "The service did not answer in time."))
