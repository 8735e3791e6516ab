"""What commands come to: the events that an order appends, and what is stored along with them.

Pure, like the domain; what it returns is in the journal's terms.
"""

from collections.abc import Sequence
from datetime import datetime

from actors.contracts.values import PrivateData
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from actors.order.domain.decisions import decide
from actors.order.domain.order import Order, evolve
from actors.order.domain.saga import due_at
from actors.order.journal_appends import Append


def carry_out(
    order_id: str, order: Order | None, commands: Sequence[cmd.Command], now: datetime
) -> tuple[tuple[ev.StoredEvent, ...], Order | None]:
    """Return the events that the commands cause, one after the other, and the order after them.

    Raises what `decide` raises, for the first command that is refused.
    """
    at = _moment(order, commands[0], now)
    stored: list[ev.StoredEvent] = []
    for command in commands:
        for event in decide(order, command, at):
            version = 1 if order is None else order.version + 1
            stored.append(ev.StoredEvent(order_id, version, event, at, command.id))
            order = evolve(order, stored[-1])
    return tuple(stored), order


def _moment(order: Order | None, command: cmd.Command, now: datetime) -> datetime:
    """Return when a command happens: never before the order's last event.

    A deadline that has come is past, even where the clock was set back meanwhile.
    """
    if order is None:
        return now
    if isinstance(command, cmd.ExpirePayment):
        return max(now, order.last_at, order.payment_due)
    return max(now, order.last_at)


def append_of(
    command: cmd.Command,
    stored: tuple[ev.StoredEvent, ...],
    evolved: Order,
    before: PrivateData,
    after: PrivateData,
    ticket_acknowledged: int,
    seal: int,
) -> Append:
    """Return what is stored with `stored`; private data go from `before` to `after`.

    `seal` is that of the order's last event before these.
    """
    placing = command.private if isinstance(command, cmd.PlaceOrder) else None
    new_token = after.payment_token or ""
    token_moved = placing is None and new_token != (before.payment_token or "")
    reason_given = after.cancel_reason != before.cancel_reason
    unconfirmed = evolved.ticket_version > ticket_acknowledged
    return Append(
        order_id=evolved.order_id,
        expected_version=evolved.version - len(stored),
        events=stored,
        due_at=due_at(evolved, ticket_acknowledged),
        ticket_version=evolved.ticket_version if unconfirmed else None,
        private=placing,
        token=new_token if token_moved else None,
        cancel_reason=after.cancel_reason if reason_given else None,
        erase=isinstance(command, cmd.EraseCustomer),
        seal=seal,
    )
