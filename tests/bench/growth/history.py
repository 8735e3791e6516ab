"""A history of any number of orders, the same one whoever makes it, as rows of all tables."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from actors.order.ids import key_of, slot_of
from actors.order.seals import MASK, SUMMED, seal_of, sums_of
from actors.payment.service import payment_key
from actors.store.demo_stores import TIME_ZONE, store_rows
from actors.store.pickup_numbers import local_day, pickup_number
from tests.bench.growth import lives
from tests.bench.growth.row_templates import BASE_S, Stencil, cut

BLOCK = 1000  # orders whose events are interleaved by time
GAP_S = 5  # seconds between two orders: 60 are under way at any time
ENDS_BEFORE_S = 3600  # nothing of the history lies in the future
IDS = 5 * 32 + 64 + 64  # hexadecimal digits of randomness an order needs
QUARTER_S = 900  # a day begins on one, in any time zone
LIVES = (*[lives.picked_up] * 17, *[lives.refunded] * 2, lives.declined)  # of 20 orders
STORES = tuple(str(row["store_id"]) for row in store_rows())

Row = tuple[Any, ...]
Live = Literal["waiting", "charging"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make: finished orders, then live ones of one kind. `now`: seconds since 1970."""

    orders: int
    live: int
    kind: Live
    now: int
    seed: int = 17


@dataclass(slots=True)
class Made:
    """One order: its stencil and what fills it. `shift`: microseconds from BASE to its placement.

    `seq` and `position` are the journal positions of its first and last event; `seal` is that of
    its last row so far.
    """

    stencil: Stencil
    order_id: str
    charge_id: str
    commands: tuple[str, ...]
    values: dict[str, str]
    shift: int
    day: str | None
    seq: int = 0
    position: int = 0
    seal: int = 0

    def moved(self, at: int | None) -> int | None:
        """Return a time of the stencil as this order's; None stays None."""
        return None if at is None else at + self.shift


@dataclass(slots=True)
class Block:
    """Orders, and their events in order of position: which order, which of its events."""

    orders: list[Made]
    sequence: list[tuple[Made, int]]
    first_position: int
    sealed: list[tuple[str, int, int]] = field(default_factory=list)
    """Order id, version and seal of the events whose rows were made."""


class History:
    """Makes the orders of a plan block by block; `numbers` has the last one of each store."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._stencils = [cut(life(store)) for store in STORES for life in LIVES]
        live = lives.charging if plan.kind == "charging" else lives.waiting
        self._live = [cut(live(store)) for store in STORES]
        self.position = 0
        self.sums = dict.fromkeys(SUMMED, 0)
        self.numbers: dict[str, tuple[str, int]] = defaultdict(lambda: ("", 0))

    def blocks(self) -> Iterator[Block]:
        """Yield all orders, oldest first. Only once: `position` and `numbers` go along."""
        plan = self._plan
        oldest = plan.now - ENDS_BEFORE_S - plan.orders * GAP_S
        for start in range(0, plan.orders, BLOCK):
            numbers = range(start, min(start + BLOCK, plan.orders))
            yield self._block([self._finished(oldest + n * GAP_S) for n in numbers])
        for start in range(0, plan.live, BLOCK):
            count = min(BLOCK, plan.live - start)
            yield self._block([self._order(self._pick(self._live), plan.now) for _ in range(count)])

    def count_seals(self, block: Block) -> None:
        """Add the seals of a block's rows to the sums of all."""
        for name, value in sums_of(block.sealed).items():
            self.sums[name] = self.sums[name] + value & MASK

    def _pick(self, among: list[Stencil]) -> Stencil:
        return among[int(self._random.random() * len(among))]

    def _finished(self, at: int) -> Made:
        return self._order(self._pick(self._stencils), at)

    def _order(self, stencil: Stencil, at: int) -> Made:
        digits = self._random.randbytes(IDS // 2).hex()
        person = str(self._random.randrange(10**8)).zfill(8)
        values = {
            "order_id": f"{at * 1_000:011x}{digits[8:32]}",
            "payment_id": f"pay_{at * 1_000_000:014x}{digits[32:50]}",
            "hash": digits[64:128],
            "customer": f"c-{person[:5]}",
            "name": f"손님 {person[:5]}",
            "tel": f"010-{person[:4]}-{person[4:]}",
        }
        for name, seconds in stencil.times:
            values[name] = _second(at + seconds)
        day = None
        if stencil.ticket is not None:
            day, values["number"] = self._next_number(stencil.store_id, at)
        commands = ("", digits[128:160], digits[160:192], digits[192:224], digits[224:256])
        shift = (at - BASE_S) * 1_000_000
        charge_id = f"ch_{digits[256:288]}"
        return Made(stencil, values["order_id"], charge_id, commands, values, shift, day)

    def _next_number(self, store_id: str, at: int) -> tuple[str, str]:
        last_day, last = self.numbers[store_id]
        day = _day(at // QUARTER_S)
        number = last + 1 if day == last_day else 1
        self.numbers[store_id] = day, number
        return day, pickup_number(number)

    def _block(self, orders: list[Made]) -> Block:
        times = [
            (event.at + made.shift, n, index)
            for n, made in enumerate(orders)
            for index, event in enumerate(made.stencil.events)
        ]
        times.sort()
        block = Block(orders, [(orders[n], index) for _, n, index in times], self.position + 1)
        for position, (made, index) in enumerate(block.sequence, self.position + 1):
            made.position = position
            if index == 0:
                made.seq = position
        self.position += len(times)
        return block


@lru_cache(maxsize=1024)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()[:19]


@lru_cache(maxsize=8)
def _day(quarter: int) -> str:
    return local_day(datetime.fromtimestamp(quarter * QUARTER_S, UTC), TIME_ZONE)


def event_rows(block: Block) -> Iterator[Row]:
    """Yield rows of `events`."""
    for position, (made, index) in enumerate(block.sequence, block.first_position):
        event = made.stencil.events[index]
        data, command = event.text % made.values, made.commands[event.command]
        at = event.at + made.shift
        head = (position, made.order_id, event.version, event.tag, event.schema_version)
        row = (*head, data, at, command)
        made.seal = seal_of(made.seal, row[1:])
        block.sealed.append((made.order_id, event.version, made.seal))
        yield (*row, made.seal)


def key_rows(block: Block) -> Iterator[Row]:
    """Yield rows of `order_keys`."""
    for made in block.orders:
        yield key_of(made.order_id), made.order_id


def private_rows(block: Block) -> Iterator[Row]:
    """Yield rows of `order_private`."""
    for made in block.orders:
        yield made.order_id, made.values["name"], made.values["tel"], made.stencil.token, None


def open_rows(block: Block) -> Iterator[Row]:
    """Yield rows of `open_orders`."""
    for made in block.orders:
        due = made.moved(made.stencil.due)
        if due is not None:
            yield made.order_id, slot_of(made.order_id), due, None


def payment_rows(block: Block) -> Iterator[Row]:
    """Yield rows of `payments`."""
    for made in block.orders:
        p = made.stencil.payment
        if p is not None:
            head = (made.order_id, made.values["payment_id"], p.amount, p.currency, p.status)
            times = (made.moved(at) for at in (p.created_at, p.approved_at, p.canceled_at))
            yield (*head, p.attempts, p.refused, *times)


def charge_rows(block: Block) -> Iterator[Row]:
    """Yield rows of `charges`."""
    for made in block.orders:
        p, status = made.stencil.payment, made.stencil.charge
        if p is not None:
            key, at = payment_key(made.order_id, 1), made.moved(p.created_at)
            yield key, made.charge_id, p.amount, p.currency, status, at


def ticket_rows(block: Block) -> Iterator[Row]:
    """Yield rows of `tickets`, without `seq`."""
    for made in block.orders:
        t = made.stencil.ticket
        if t is not None:
            head = (made.order_id, t.store_id, made.values["number"], made.day, t.status, t.version)
            times = (made.moved(at) for at in (t.estimated_ready_at, t.opened_at, t.updated_at))
            yield (*head, t.items, made.values["name"], t.reason, *times)


def detail_rows(block: Block) -> Iterator[Row]:
    """Yield rows of `order_detail`."""
    for made in block.orders:
        s, values = made.stencil, made.values
        head = (made.seq, made.order_id, len(s.events), values["customer"], s.store_id, s.status)
        yield (*head, made.position, s.body % values)
