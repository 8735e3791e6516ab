"""The processes of a schedule: each begins, is killed or stopped, and has successors."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cluster.simulation.loop import Incarnation, Machine
from cluster.simulation.participants import SECOND_PROJECTOR, SERVICES, SYSTEMS, role_of

if TYPE_CHECKING:
    from cluster.simulation.world import World


class Processes:
    """Who is there. `registry` has of each role the incarnation that is reached."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.machines = {system: Machine(system) for system in SYSTEMS}
        self.registry: dict[str, Incarnation] = {}
        self._lives: dict[str, int] = {}
        self.ended: set[str] = set()
        self._standing: int | None = None

    def start(self, role: str) -> None:
        """Begin a process's next life."""
        world = self._world
        number = self._lives[role] = self._lives.get(role, 0) + 1
        incarnation = Incarnation(role, number, self.machines[role[-1]])
        self.registry[role] = incarnation
        self._standing = None
        if number > 1 or world.loop.now:
            world.tell(f"{incarnation} begins")
        with world.loop.within(incarnation):
            incarnation.service = world.templates[role].copy()
            incarnation.service.start()
        world.network.arrived(role)

    def kill(self, victim: Incarnation, bits: int) -> None:
        """End a process as kill -9 does; its successor begins a moment later."""
        if victim.dead:
            return
        victim.dead = True
        self._standing = None
        if self._stands(victim):
            self._later(0.05 + (bits >> 36 & 0xFF) / 80, self._succeed, victim)
        self._world.network.lost(victim)

    def stop(self, victim: Incarnation, bits: int) -> None:
        """Stop a process. Its successor begins beside it, unless it goes on before."""
        if victim.dead or victim.held is not None:
            return
        victim.held = []
        victim.stopped_at = self._world.loop.now
        self._standing = None
        self._later(0.2 + (bits >> 30 & 0xFF) / 20, self._go_on, victim)
        self._later(2.0 + (bits >> 44 & 0xFF) / 80, self._succeed, victim)

    def kill_all(self, system: str, bits: int) -> None:
        """End all processes of a system."""
        for role, incarnation in list(self.registry.items()):
            if role.endswith(system):
                self.kill(incarnation, bits)

    def end(self, system: str, bits: int) -> None:
        """End a system for good."""
        self.ended |= {role_of(service, system) for service in (*SERVICES, SECOND_PROJECTOR)}
        self.kill_all(system, bits)

    def standing(self) -> int:
        """Return a number of who is there, and who has been stopped: a part of the state."""
        if self._standing is None:
            there = sorted(
                (each.role, each.dead + 2 * (each.held is not None))
                for each in self.registry.values()
            )
            self._standing = self._world.record.number_of(there)
        return self._standing

    def route(self, service: str) -> str:
        """Return which system's service is asked next."""
        first = self.registry.get(role_of(service, "B"))
        if first is None or first.role in self.ended:
            return role_of(service, "A")
        if role_of(service, "A") in self.ended:
            return role_of(service, "B")
        return role_of(service, SYSTEMS[self._world.numbers.next() % 2])

    def _stands(self, incarnation: Incarnation) -> bool:
        role = incarnation.role
        return self.registry.get(role) is incarnation and role not in self.ended

    def _later(self, seconds: float, what: Callable[[Incarnation], None], who: Incarnation) -> None:
        self._world.surely_at(self._world.loop.now + seconds, what, who)

    def _succeed(self, former: Incarnation) -> None:
        if self._stands(former) and (former.dead or former.held is not None):
            self.start(former.role)
            if not former.dead:
                self._world.network.lost(former)

    def _go_on(self, victim: Incarnation) -> None:
        if not victim.dead and victim.held is not None:
            beside = self.registry.get(victim.role)
            zombie = "" if beside is victim else f", beside {beside}: a zombie"
            self._world.tell(f"{victim} goes on{zombie}")
            self._standing = None
            self._world.loop.go_on(victim)
