"""What must hold after a schedule: the databases against what people and the provider know.

Each invariant is a function with a name, which yields how it is violated; nothing where it holds.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from actors.contracts.errors import Damaged
from actors.contracts.values import OrderStatus, PaymentStatus
from actors.order.domain.detail import detail
from actors.order.domain.order import Order, fold
from actors.order.histories import History, histories_of
from actors.order.overdue import OVERDUE
from actors.order.seals import SEALED_COLUMNS, SUMMED, seal_of, sums_of
from actors.runtime.message_codec import to_json
from cluster.simulation.clients import PRICE
from cluster.simulation.promises import (
    acknowledged_is_there,
    refused_changed_nothing,
    repeats_are_known,
)
from cluster.simulation.record import STANDING
from cluster.simulation.standing_in import LOOK_S

if TYPE_CHECKING:
    from cluster.simulation.world import World

LATE_S = 3.0
CLOCK_LOOK_S = 61.0
"""A clock that is set is noticed within a minute."""
OTHERS_LOOK_S = OVERDUE.total_seconds() + 1.25 * LOOK_S + LATE_S
"""What a system leaves that ends is found by another one's look for what is overdue."""
PAID_FOR = (
    OrderStatus.PAID,
    OrderStatus.ACCEPTED,
    OrderStatus.PREPARING,
    OrderStatus.READY,
    OrderStatus.PICKED_UP,
)
WORKED_ON = {
    OrderStatus.ACCEPTED: "ACCEPTED",
    OrderStatus.PREPARING: "PREPARING",
    OrderStatus.READY: "READY",
    OrderStatus.PICKED_UP: "PICKED_UP",
}


class Found:
    """What the databases have after a schedule, folded."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.orders: dict[str, Order] = {}
        self.histories = _histories(world)
        for order_id, history in self.histories.items():
            order = fold(history.events)
            assert order is not None
            self.orders[order_id] = order
        rows = world.disks["stores"].rows(
            "SELECT order_id, status, number, customer_name FROM tickets"
        )
        self.tickets = {row[0]: row for row in rows}


def _histories(world: "World") -> dict[str, History]:
    disk = world.disks["journal"]
    rows = disk.rows("SELECT * FROM events ORDER BY order_id, version")
    wanted = list(dict.fromkeys(row[1] for row in rows))
    private = disk.rows(
        "SELECT order_id, name, tel, payment_token, cancel_reason FROM order_private"
    )
    found: dict[str, Any] = histories_of(wanted, (rows, private, ()), partial(Damaged, "damaged"))
    return found


Invariant = Callable[[Found], Iterator[str]]


def paid_orders_are_charged_once(found: Found) -> Iterator[str]:
    """See that an order that is paid has exactly one charge, of what the button said."""
    for order_id, order in found.orders.items():
        live = found.world.provider.live_charges(order_id)
        named = found.world.named(order_id)
        if order.status in PAID_FOR and len(live) != 1:
            yield f"{named} is {order.status} with {len(live)} charges"
        agreed = PRICE * order.lines[0].quantity
        for charge in live:
            if charge.amount != agreed:
                yield f"{named} is charged {charge.amount}, and the button said {agreed}"


def others_are_not_charged(found: Found) -> Iterator[str]:
    """See that nobody pays for an order that is cancelled, or was never placed."""
    for order_id in {key.rpartition(":")[0] for key in found.world.provider.charges}:
        order = found.orders.get(order_id)
        live = found.world.provider.live_charges(order_id)
        if live and (order is None or order.status not in PAID_FOR):
            status = "unknown" if order is None else order.status
            yield f"{found.world.named(order_id)} is {status}, and {len(live)} charge stands"


def tickets_follow_orders(found: Found) -> Iterator[str]:
    """See that the store has a ticket for what it makes, and none for what was cancelled."""
    for order_id, order in found.orders.items():
        ticket = found.tickets.get(order_id)
        named = found.world.named(order_id)
        status = None if ticket is None else ticket[1]
        expected = WORKED_ON.get(order.status)
        if expected is not None and status != expected:
            yield f"{named} is {order.status}, and its ticket {status}"
        if expected is not None and ticket is not None and ticket[2] != order.pickup_number:
            yield f"{named} is called {order.pickup_number}, and its ticket {ticket[2]}"
        if expected is None and status in STANDING:
            yield f"{named} is {order.status}, and its ticket {status}"
    for order_id, ticket in found.tickets.items():
        if order_id not in found.orders and ticket[1] in STANDING:
            yield f"there is a ticket for {found.world.named(order_id)}, which was never placed"


def payments_follow_orders(found: Found) -> Iterator[str]:
    """See that the payment service's books say what the order says."""
    rows = found.world.disks["payments"].rows("SELECT order_id, status, refused FROM payments")
    books = {order_id: (status, refused) for order_id, status, refused in rows}
    for order_id, order in found.orders.items():
        status, _ = books.get(order_id, (None, 0))
        named = found.world.named(order_id)
        if order.payment is PaymentStatus.APPROVED and status != "APPROVED":
            yield f"{named} is paid, and payment says {status}"
        if order.status is OrderStatus.CANCELED and status in ("APPROVED", "PENDING"):
            yield f"{named} is cancelled, and payment says {status}"


def view_is_the_journal(found: Found) -> Iterator[str]:
    """See that the view has what the journal has: all of it, and nothing else."""
    rows = found.world.disks["readmodel"].rows("SELECT order_id, version, body FROM order_detail")
    view = {order_id: (version, body) for order_id, version, body in rows}
    for order_id, order in found.orders.items():
        version, body = view.pop(order_id, (0, ""))
        named = found.world.named(order_id)
        if version != order.version:
            yield f"{named} has version {version} in the view, and {order.version} in the journal"
        elif body != to_json(detail(order, found.histories[order_id].private)).decode():
            yield f"{named} is something else in the view"
    for order_id in view:
        yield f"{found.world.named(order_id)} is in the view only"


def everybody_rests(found: Found) -> Iterator[str]:
    """See that no order waits for anything, and that no card token is kept."""
    for order_id, order in found.orders.items():
        named = found.world.named(order_id)
        if order.status in (OrderStatus.PLACED, OrderStatus.PAID, OrderStatus.CANCELING):
            yield f"{named} is {order.status} for ever"
        if found.histories[order_id].private.payment_token is not None:
            yield f"the card token of {named} is kept"


def erased_is_erased(found: Found) -> Iterator[str]:
    """See that nobody has the name of a customer who was forgotten."""
    for order_id, order in found.orders.items():
        if order.erased:
            private, ticket = found.histories[order_id].private, found.tickets.get(order_id)
            named = found.world.named(order_id)
            if private.name is not None or (ticket is not None and ticket[3] is not None):
                yield f"the customer of {named} was forgotten, and is known"


def deadlines_are_obeyed(found: Found) -> Iterator[str]:
    """See that what nobody paid is cancelled when its time has come: not before, and soon after.

    Where a clock was set, within the minute in which that is noticed, and never by an hour later.
    Where a system ended, once another one has looked.
    """
    world = found.world
    for order_id, order in found.orders.items():
        if order.cancel_reason != "payment_timeout":
            continue
        named = world.named(order_id)
        events = found.histories[order_id].events
        canceled = next(s for s in events if type(s.event).__name__ == "OrderCanceled")
        placed_at = world.record.committed_at[order_id, 1]
        at = world.record.committed_at[order_id, canceled.version]
        allowed = world.installation.settings.payment_deadline_s
        if not world.clock_was_set and canceled.at < order.payment_due:
            yield f"{named} was given up before its deadline"
        slack = OTHERS_LOOK_S if world.processes.ended else LATE_S
        if world.clock_was_set:
            slack = max(slack, CLOCK_LOOK_S)
        late = at - max(placed_at + allowed, world.last_fault_at + allowed)
        if late > slack:
            yield f"{named} was given up {late:.1f} s after its deadline"


def time_goes_on(found: Found) -> Iterator[str]:
    """See that no event of an order is before the one before it."""
    for order_id, history in found.histories.items():
        times = [stored.at for stored in history.events]
        if times != sorted(times):
            yield f"an event of {found.world.named(order_id)} is before the one before it"


def seals_hold(found: Found) -> Iterator[str]:
    """See that each event is sealed behind the one before it, and that all seals add up."""
    disk = found.world.disks["journal"]
    rows = disk.rows("SELECT * FROM events ORDER BY order_id, version")
    last: dict[str, int] = {}
    for row in rows:
        order_id, version, seal = row[1], row[2], row[-1]
        expected = seal_of(last.get(order_id, 0), row[SEALED_COLUMNS])
        if seal != expected:
            yield f"version {version} of {found.world.named(order_id)} has another seal"
        last[order_id] = expected
    columns = ", ".join(SUMMED)
    kept = disk.rows(f"SELECT {columns} FROM seal_sums")  # noqa: S608 - names of columns
    sums = sums_of((row[1], row[2], row[-1]) for row in rows)
    if rows and kept != [tuple(sums.values())]:
        yield "all seals do not add up to what was noted with each commit"


INVARIANTS: dict[str, Invariant] = {
    "acknowledged and lost": acknowledged_is_there,
    "refused and done": refused_changed_nothing,
    "a repeat is refused": repeats_are_known,
    "charged wrongly": paid_orders_are_charged_once,
    "charged for nothing": others_are_not_charged,
    "ticket and order differ": tickets_follow_orders,
    "payment and order differ": payments_follow_orders,
    "view and journal differ": view_is_the_journal,
    "not at rest": everybody_rests,
    "erased and known": erased_is_erased,
    "deadline missed": deadlines_are_obeyed,
    "time went back": time_goes_on,
    "seals are broken": seals_hold,
}
"""What is checked after each schedule, by the names under which a violation is reported."""


def check(world: "World") -> Iterator[tuple[str, str]]:
    """Yield name and detail of each violation."""
    try:
        found = Found(world)
    except Exception as error:  # noqa: BLE001 - it is told
        yield "the journal cannot be folded", f"{type(error).__name__}: {error}"
        return
    for name, invariant in INVARIANTS.items():
        for shown in invariant(found):
            yield name, shown
