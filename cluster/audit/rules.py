"""What must be true of an order across all databases, as pure functions on its rows.

While steps are outstanding only what holds at any time is asked for; the rest waits until the
order is at rest. Findings name fields, never what stands in them where it could be personal.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import Row

from actors.contracts.values import OrderStatus, PaymentStatus, PickupStatus, PrivateData
from actors.order.domain.order import Order
from actors.order.domain.reasons import STORE_CODES
from actors.order.domain.saga import AuthorizePayment, CancelPayment, due_at
from actors.order.ids import slot_of
from actors.runtime.clock import from_micros, to_micros
from actors.runtime.database_faults import UNREADABLE
from cluster.audit.placement_rules import possible
from cluster.audit.records import Case, Dossier, Finding, Violation, fold_events
from cluster.audit.sealing import broken_seals
from readmodel.folding import Folded, row_of

OVERDUE = "overdue"
PATIENCE = timedelta(minutes=1)
"""An order that can go on does so within seconds, also after a crash."""
REMEDY = (
    "`siren up` carries it on within seconds; where that runs, `siren orders --stuck` says why not"
)
UNDECIDED = (PaymentStatus.PENDING, PaymentStatus.APPROVED)
PERSONAL = ("customer", "cancel_reason")
"""Fields of the order detail that may show private data."""
MADE = (
    PickupStatus.ACCEPTED,
    PickupStatus.PREPARING,
    PickupStatus.READY,
    PickupStatus.PICKED_UP,
)


def examine(dossier: Dossier) -> list[Violation]:
    """Return everything that is wrong with one order, also that some of it cannot be read."""
    findings = [("unreadable", f"cannot be read: {where}") for where in dossier.unreadable.values()]
    if "events" in dossier.unreadable:
        pass  # without its history nothing can be said of the rest
    elif not dossier.events:
        findings.extend(_without_order(dossier))
    else:
        findings.extend(_with_order(dossier))
    return [Violation(dossier.order_id, code, words) for code, words in findings]


def _with_order(dossier: Dossier) -> Iterator[Finding]:
    yield from broken_seals(dossier)
    case, findings = fold_events(dossier)
    yield from findings
    if case is None:
        return
    for rule, needed in RULES.items():
        if dossier.unreadable.keys() & needed:
            continue
        try:
            yield from rule(case)
        except UNREADABLE as error:  # SQLite keeps whatever stands in a column, of whatever type
            of = ", ".join(sorted(needed))
            yield "row_unreadable", f"its rows ({of}) hold what cannot be ({type(error).__name__})"


def _without_order(dossier: Dossier) -> Iterator[Finding]:
    present = {
        "charge_without_order": dossier.live_charges,
        "payment_without_order": dossier.payment,
        "ticket_without_order": dossier.ticket,
        "open_without_order": dossier.open,
        "private_without_order": dossier.private,
        "view_without_order": dossier.view,
    }
    for code, row in present.items():
        if row:
            yield code, f"there is a {code.partition('_')[0]} row, but no event in the journal"


# --- payment ------------------------------------------------------------------------------------


def _payment(case: Case) -> Iterator[Finding]:
    row, order = case.dossier.payment, case.order
    if row is None:
        if case.at_rest and order.payment is not PaymentStatus.NONE:
            yield "payment_missing", f"the order says {order.payment}, payment knows nothing of it"
        return
    money = (row.amount, row.currency)
    if row.payment_id is not None and money != (order.total, order.currency):
        yield "payment_differs", f"it is over {_money(row)}, the order over {_total(order)}"
    if not case.at_rest:
        return
    if row.status != order.payment:
        yield "payment_differs", f"it is {row.status}, the order says {order.payment}"
    if order.payment_id not in (None, row.payment_id):
        yield "payment_differs", "it has another payment id than the order"


def _charges(case: Case) -> Iterator[Finding]:
    order, live = case.order, case.dossier.live_charges
    if len(live) > 1:
        yield "charged_twice", f"the provider holds {len(live)} live charges"
    for charge in live:
        attempt = charge.key.rpartition(":")[2]
        if not (attempt.isdecimal() and 1 <= int(attempt) <= order.attempts):
            yield "charge_without_request", f"the order never asked for the charge {charge.key}"
        if (charge.amount, charge.currency) != (order.total, order.currency):
            yield "charge_differs", f"it is over {_money(charge)}, the order over {_total(order)}"
    if live and order.status is OrderStatus.CANCELED:
        yield "charge_not_refunded", "the order is CANCELED and the provider holds a live charge"
    elif case.at_rest and live and order.payment is not PaymentStatus.APPROVED:
        yield "charge_unrecorded", f"the provider charged, the order says {order.payment}"
    elif case.at_rest and not live and order.payment is PaymentStatus.APPROVED:
        yield "charge_missing", "the order is paid, but the provider holds no live charge"


def _money(row: Row[Any]) -> str:
    return f"{row.amount} {row.currency}"


def _total(order: Order) -> str:
    return f"{order.total} {order.currency}"


# --- store --------------------------------------------------------------------------------------


def _ticket(case: Case) -> Iterator[Finding]:
    row, order = case.dossier.ticket, case.order
    if row is None:
        if case.at_rest and order.pickup is not PickupStatus.NONE:
            yield "ticket_missing", f"the order says {order.pickup}, the store has no ticket"
        return
    msgspec.json.decode(row.items)  # what the board shows
    tombstone = row.status == PickupStatus.CANCELED and row.number is None
    if order.pickup is PickupStatus.NONE and not tombstone and not _was_approved(case):
        yield "ticket_without_payment", "the store has a ticket, but the order was never paid"
    if row.store_id != order.store_id:
        yield "ticket_differs", f"it is at {row.store_id}, the order at {order.store_id}"
    if case.at_rest:
        yield from _ticket_at_rest(case, row)


def _was_approved(case: Case) -> bool:
    # Ticket and approval may be in the books of store and payment before the journal has either.
    payment = case.dossier.payment
    return payment is not None and payment.approved_at is not None


def _ticket_at_rest(case: Case, row: Row[Any]) -> Iterator[Finding]:
    order, payment = case.order, case.dossier.payment
    approved = payment is not None and payment.status == PaymentStatus.APPROVED
    if row.status in MADE and order.pickup is not PickupStatus.NONE and not approved:
        yield "ticket_without_payment", f"the ticket is {row.status} without an approved payment"
    if row.status != order.pickup:
        yield "ticket_differs", f"it is {row.status}, the order says {order.pickup}"
    if order.pickup_number not in (None, row.number):
        yield "ticket_differs", f"its number is {row.number}, the order's {order.pickup_number}"
    if order.erased and row.customer_name is not None:
        yield "personal_data_kept", "the customer was erased, the ticket still has a name"
    if order.erased and row.reason is not None and row.reason not in STORE_CODES:
        yield "personal_data_kept", "the customer was erased, the ticket still has words"


# --- journal ------------------------------------------------------------------------------------


def _open_row(case: Case) -> Iterator[Finding]:
    row, order = case.dossier.open, case.order
    due = due_at(order, case.acknowledged)
    if row is None:
        if due is not None:
            yield "open_missing", f"the order is {order.status} and due, nothing would wake it"
    elif due is None:
        yield "open_needless", f"the order is {order.status} and at rest, but kept open"
    elif row.due_at != to_micros(due):
        yield "open_differs", "it is due at another time than its events say"
    elif row.slot != slot_of(order.order_id):
        yield "open_differs", f"it is in slot {row.slot}, belongs in {slot_of(order.order_id)}"


def _overdue(case: Case) -> Iterator[Finding]:
    row, now = case.dossier.open, case.dossier.read_at
    if row is None or now - from_micros(row.due_at) < PATIENCE or _waits_for_provider(case):
        return
    seconds = (now - from_micros(row.due_at)).total_seconds()
    awaited = " and ".join(type(step).__name__ for step in case.outstanding) or "its cancellation"
    words = f"{awaited} is due for {seconds:.0f} s: {REMEDY}"
    yield OVERDUE, words


def has_long_waited_for_provider(dossier: Dossier) -> bool:
    """Whether an order waits for the payment provider alone, for a minute and longer."""
    if dossier.open is None or dossier.read_at - from_micros(dossier.open.due_at) < PATIENCE:
        return False
    case, _ = fold_events(dossier)
    return case is not None and _waits_for_provider(case)


def _waits_for_provider(case: Case) -> bool:
    """Whether payment has asked the provider, and has no answer yet."""
    order, payment, now = case.order, case.dossier.payment, case.dossier.read_at
    if payment is None:
        return False
    match case.outstanding:
        case (AuthorizePayment(attempt=attempt), *_):
            asked = payment.attempts >= attempt and payment.status == PaymentStatus.PENDING
            return asked and now < order.payment_due + PATIENCE
        case (CancelPayment(), *_):
            return bool(payment.refused) and payment.status in UNDECIDED
    return False


def _key(case: Case) -> Iterator[Finding]:
    row, order = case.dossier.key, case.order
    if row is None:
        yield "key_missing", "its key is not noted: its request, repeated, would place another one"
    elif row.order_id != order.order_id:
        yield "placed_twice", f"its key has placed {row.order_id} too"


def _private(case: Case) -> Iterator[Finding]:
    row, order = case.dossier.private, case.order
    if row is None:
        yield "private_missing", "there is no row for name, phone number and card token"
        return
    if row.payment_token is not None and order.payment is not PaymentStatus.PENDING:
        yield "token_kept", f"the payment is {order.payment}, its card token is still stored"
    if order.erased and any((row.name, row.tel, row.cancel_reason)):
        yield "personal_data_kept", "the customer was erased, the journal's own row was not"


# --- view ---------------------------------------------------------------------------------------


def _view(case: Case) -> Iterator[Finding]:
    dossier, row = case.dossier, case.dossier.view
    reached = sum(event.position <= dossier.checkpoint for event in dossier.events)
    if row is None:
        if reached:
            yield "view_missing", f"the view has read {reached} of its events, but has no row"
        return
    if row.version < reached:
        yield "view_stale", f"it is at version {row.version}, the view has read version {reached}"
    if case.viewed is None:
        words = f"it is at version {row.version}, the journal at {len(dossier.events)}"
        yield "view_differs", words
        return
    yield from _view_contents(case, row, case.viewed)


def _view_contents(case: Case, row: Row[Any], viewed: Order) -> Iterator[Finding]:
    seq, position = case.dossier.events[0].position, case.dossier.events[row.version - 1].position
    private = None if viewed.erased else case.dossier.private
    person = PrivateData()
    if private is not None:
        person = PrivateData(private.name, private.tel, cancel_reason=private.cancel_reason)
    expected = row_of(Folded(seq, position, viewed, person))
    wrong = [name for name in expected if name != "body" and getattr(row, name) != expected[name]]
    fields = [] if row.body == expected["body"] else _fields(row.body, expected["body"])
    personal = [name for name in PERSONAL if name in fields] if case.order.erased else []
    if personal:  # erased since: the row may have been written before or after
        fields = [name for name in fields if name not in personal]
        if viewed.erased:
            yield "personal_data_kept", "the customer was erased, the view's row was not"
    if wrong or fields:
        yield "view_differs", f"not as the journal has it: {', '.join(wrong + fields)}"


def _fields(body: str, expected: str) -> list[str]:
    """Return the fields in which two order details differ."""
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        return ["body"]
    wanted = msgspec.json.decode(expected, type=dict[str, Any])
    absent = object()
    names = [*wanted, *(name for name in found if name not in wanted)]
    return [name for name in names if found.get(name, absent) != wanted.get(name, absent)]


RULES: dict[Callable[[Case], Iterator[Finding]], set[str]] = {
    possible: {"private"},
    _payment: {"payment"},
    _charges: {"charges"},
    _ticket: {"ticket", "payment"},
    _open_row: {"open"},
    _overdue: {"open"},
    _key: {"key"},
    _private: {"private"},
    _view: {"view", "private"},
}
"""The rules, and which parts of a dossier each of them needs."""
