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
from cluster.simulation.chance import NUDGE, REPLY, REQUEST, Fault, Place, place
from cluster.simulation.loop import Incarnation
from cluster.simulation.ports import Port

if TYPE_CHECKING:
    from cluster.simulation.world import World


STANDSTILL_S = 1.9
"""Stands in for production's: whoever stands still for longer may have a successor by then (see
`Processes.stop`)."""


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
        target = self._world.processes.registry.get(self._role)
        if target is not None and not target.dead:
            self._world.loop.begin(target, target.service.nudge())


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
        sender = call.sender
        if sender.dead or call.future.done():
            return
        if self._world.story.lines is not None:
            said = self._world.story.described(call.data)
            self._world.tell(f"{sender} → {call.role}: {call.name}{said}")
        at = place(f"{sender.role} → {call.role}: request", REQUEST)
        fault = self._carry(call, at, self._deliver, call)
        if fault is Fault.TWICE:
            self.unlikely.append(call.data)
        if fault is not None:
            self._world.tell_fault(f"{call.name} {sender} → {call.role}", fault)

    def _reply(self, call: Call, target: Incarnation, data: bytes) -> None:
        if target.dead:
            return
        if self._world.story.lines is not None:
            self._world.tell(f"{target} → {call.sender}: {self._world.story.described(data)}")
        at = place(f"{target.role} → {call.sender.role}: reply", REPLY)
        settle = self._world.loop.settle
        fault = self._carry(call, at, settle, call.sender, call.future, data)
        if fault is not None:
            self._world.tell_fault(f"the reply {target} → {call.sender}", fault)

    def _carry(
        self, call: Call, at: Place, arrive: Callable[..., object], *what: Any
    ) -> Fault | None:
        """Send a message of a call on its way to where it arrives; return what goes wrong."""
        world = self._world
        fault, bits = world.chance.draw(at)
        when = world.loop.now + self.delay_s(bits, fault)
        match fault:
            case None:
                world.loop.at(when, world.itself, arrive, *what)
            case Fault.DROPPED:
                self._again(call, bits)
            case Fault.DELAYED:
                world.surely_at(when, arrive, *what)
            case Fault.TWICE:
                world.loop.at(when, world.itself, arrive, *what)
                world.surely_at(when + 0.002 + (bits >> 48 & 0xFF) / 64, arrive, *what)
        return fault

    def _again(self, call: Call, bits: int) -> None:
        pause = 0.02 + (bits >> 40 & 0x3F) / 64
        self._world.loop.at(self._world.loop.now + pause, call.sender, self.send, call)

    def _deliver(self, call: Call) -> None:
        target = self._world.processes.registry.get(call.role)
        if target is None or target.dead:
            self._waiting.setdefault(call.role, []).append(call)
            return
        if call not in self.open:
            self.unlikely.append(call.data)
        call.target = target
        loop = self._world.loop
        awake_at = loop.now if target.held is None else target.stopped_at
        loop.begin(target, self._serve(call, target, awake_at))

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
