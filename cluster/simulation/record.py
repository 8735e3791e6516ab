"""What the simulation itself writes down while a schedule runs, apart from all databases.

It looks at each commit and each answer at the moment when it is made. What must never be so, not
even for a moment, is found here; what must be so in the end is in `invariants`.
"""

from typing import TYPE_CHECKING
from zlib import crc32

from cluster.simulation.clients import ITEM, SHOP

if TYPE_CHECKING:
    from cluster.simulation.clients import Answer
    from cluster.simulation.world import World


STANDING = ("ACCEPTED", "PREPARING", "READY")
_STORE = (
    "SELECT s.open, m.sold_out, s.queued, s.ready FROM stores s JOIN menu_items m"
    " ON m.store_id = s.store_id WHERE s.store_id = ? AND m.menu_id = ?"
)


class Violation(tuple[str, str]):
    """Which invariant does not hold, by its name, and how that shows."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Return the invariant's name."""
        return self[0]

    @property
    def detail(self) -> str:
        """Return how it shows."""
        return self[1]

    def __str__(self) -> str:
        return f"{self[0]}: {self[1]}"


class Record:
    """The record of one schedule."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.violations: list[Violation] = []
        self.versions: dict[str, int] = {}
        """Of each order, the version that was committed last."""
        self.committed_at: dict[tuple[str, int], float] = {}
        """When an event was committed, by order and version, in true seconds."""
        self.events: dict[str, list[str]] = {}
        """Kinds of each order's events as they were committed."""
        self.position = 0
        self.tickets: dict[str, str] = {}
        self._log: list[tuple[int, str, int]] = []
        """Position, order and version of each event."""
        self._refunded: set[str] = set()
        self._sells = (1, 0)
        """Whether the store is open, and whether it has run out, as it was committed last."""
        self._seen: tuple[int, dict[str, int]] = (0, {})
        """The view's checkpoint and versions, as they were committed last."""
        self.states: set[int] = set()
        self.open_orders: list[str] = []
        self.folded = 0
        """The position of the view."""
        self.ending = 0
        self._parts: dict[str, int] = dict.fromkeys(_PARTS, 0)

    def violated(self, name: str, detail: str) -> None:
        """Note that an invariant does not hold."""
        violation = Violation((name, detail))
        if violation not in self.violations:
            self.violations.append(violation)
            self._world.tell(f"VIOLATION {violation}")

    def surprised_by(self, error: BaseException) -> None:
        """Note an error that nobody expects."""
        self.violated("an unexpected error", f"{type(error).__name__}: {error}")

    def answers(self, order_id: str, version: int) -> None:
        """Hear what an order host answers, at the moment when it does."""
        committed = self.versions.get(order_id, 0)
        if version > committed:
            named = self._world.named(order_id)
            detail = f"version {version} of {named}, and the journal has {committed}"
            self.violated("acknowledged before the commit", detail)

    def charged(self, key: str) -> None:
        """Hear what the provider charges."""
        order_id, _, attempt = key.rpartition(":")
        named = self._world.named(order_id)
        live = self._world.provider.live_charges(order_id)
        if len(live) > 1:
            self.violated("charged twice", f"{named} has {len(live)} live charges")
        if f"PaymentRequested {attempt}" not in self.events.get(order_id, ()):
            detail = f"attempt {attempt} of {named} is charged, and the journal does not have it"
            self.violated("charged without an intent", detail)
        self._part("provider", tuple(c.status[0] for c in self._world.provider.charges.values()))

    def ended(self, answers: "list[Answer]") -> None:
        """Make a number of what everybody has in the end, and was told."""
        told = [
            (each.step.key, each.reply and each.reply.order_status, str(each.refusal))
            for each in answers
        ]
        self.ending = self.number_of((self._parts, told, self.violations))

    def committed(self, service: str) -> None:
        """Look at what a commit has changed."""
        look = _LOOKS.get(service)
        if look is not None:
            look(self)

    def _part(self, name: str, value: object) -> None:
        """Count the state that all are in now."""
        self._parts[name] = self.number_of(value)
        self._parts["alive"] = self._world.processes.standing()
        # That of a tuple of numbers is the same in each process, unlike those of texts.
        self.states.add(hash(tuple(self._parts.values())))

    @staticmethod
    def number_of(value: object) -> int:
        """Return a number that tells a part of the state from others."""
        return crc32(repr(value).encode())

    def _journal(self) -> None:
        world = self._world
        rows = world.disks["journal"].rows(
            "SELECT position, order_id, version, type, data FROM events WHERE position > ?"
            " ORDER BY position",
            self.position,
        )
        for position, order_id, version, kind, data in rows:
            self.position = position
            expected = self.versions.get(order_id, 0) + 1
            if version != expected:
                detail = f"{world.named(order_id)}: version {version} after {expected - 1}"
                self.violated("an event is missing or twice in the journal", detail)
            self.versions[order_id] = version
            self._log.append((position, order_id, version))
            self.committed_at[order_id, version] = world.loop.now
            told = f"{kind} {_attempt(data)}" if kind == "PaymentRequested" else kind
            self.events.setdefault(order_id, []).append(told)
            if world.story.lines is not None:
                world.tell(f"{world.loop.current} commits {told} of {world.named(order_id)}")
        open_orders = world.disks["journal"].rows("SELECT order_id FROM open_orders")
        self.open_orders = [row[0] for row in open_orders]
        if rows:
            self._part("journal", tuple(map(tuple, self.events.values())))

    def _payments(self) -> None:
        rows = self._world.disks["payments"].rows(
            "SELECT order_id, status, attempts, refused FROM payments"
        )
        if self._world.story.lines is not None:
            for order_id, status, attempts, refused in rows:
                tomb = ", refused from now on" if refused else ""
                named = self._world.named(order_id)
                self._world.tell(
                    f"{self._world.loop.current} commits {status}, attempt {attempts}{tomb},"
                    f" of {named}"
                )
        for order_id, status, _, _ in rows:
            if status == "CANCELED" and order_id not in self._refunded:
                self._refunded.add(order_id)
                self._paid_back(order_id)
        self._part("payments", tuple(row[1:] for row in rows))

    def _paid_back(self, order_id: str) -> None:
        told = self.events.get(order_id, ())
        is_made = self.tickets.get(order_id) in STANDING and "PickupRejected" not in told
        if is_made and "PickupStarted" in told:
            named = self._world.named(order_id)
            self.violated("paid back before its ticket is cancelled", f"{named} is still made")

    def _stores(self) -> None:
        world = self._world
        rows = world.disks["stores"].rows(
            "SELECT order_id, status, number, version FROM tickets ORDER BY seq"
        )
        store = world.disks["stores"].rows(_STORE, SHOP, ITEM)[0]
        numbers: dict[str, str] = {}
        for order_id, status, number, _ in rows:
            before = self.tickets.get(order_id)
            if status != before:
                self.tickets[order_id] = status
                if world.story.lines is not None:
                    current = world.loop.current
                    world.tell(f"{current} commits {status} ticket of {world.named(order_id)}")
            if before is None and number is not None:
                self._opened(order_id)
            if number is not None and numbers.setdefault(number, order_id) != order_id:
                self.violated("a pick-up number was given twice", number)
        self._sells = store[:2]
        standing = [row[1] for row in rows if row[1] in STANDING]
        counted = (len(standing) - standing.count("READY"), standing.count("READY"))
        if store[2:] != counted:
            self.violated("the store's counts are wrong", f"{store[2:]}, and {counted} tickets")
        self._part("stores", tuple((row[1], row[3]) for row in rows))

    def _opened(self, order_id: str) -> None:
        paid = self._world.disks["payments"].rows(
            "SELECT approved_at FROM payments WHERE order_id = ?", order_id
        )
        if not paid or paid[0][0] is None:
            detail = f"{self._world.named(order_id)} has a ticket, and payment no approval on disk"
            self.violated("a ticket before its payment", detail)
        if self._sells != (1, 0):
            named = self._world.named(order_id)
            self.violated(
                "made and not for sale", f"{named}, by a store that had closed or run out"
            )

    def _view(self) -> None:
        disk = self._world.disks["readmodel"]
        position = disk.rows("SELECT position FROM checkpoint")[0][0]
        versions = dict(disk.rows("SELECT order_id, version FROM order_detail"))
        before, last = self._seen
        if position < before or any(version > versions.get(k, 0) for k, version in last.items()):
            detail = f"from {before} {list(last.values())} to {position} {list(versions.values())}"
            self.violated("the view went back", detail)
        folded = {order_id: version for at, order_id, version in self._log if at <= position}
        if versions != folded:
            detail = (
                f"{list(versions.values())} at {position}, where {list(folded.values())} belong"
            )
            self.violated("rows and checkpoint of the view differ", detail)
        self._seen = position, versions
        self.folded = position
        self._part("view", position)


def _attempt(data: str) -> str:
    return data.partition('"attempt":')[2].partition(",")[0].strip("} ")


_PARTS = ("provider", "journal", "payments", "stores", "view", "alive")
_LOOKS = {
    "journal": Record._journal,  # noqa: SLF001
    "payments": Record._payments,  # noqa: SLF001
    "stores": Record._stores,  # noqa: SLF001
    "readmodel": Record._view,  # noqa: SLF001
}
