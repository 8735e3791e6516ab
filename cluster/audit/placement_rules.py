"""Whether an order could have been placed at all, by the rules that stand today.

Journals hold orders from before some of them: those are folded and served all the same.
"""

from collections.abc import Iterator

from actors.contracts.limits import MAX_LINES, MAX_QUANTITY, MAX_TOTAL
from actors.contracts.texts import reads_as_empty
from actors.order.domain.order import Order
from cluster.audit.records import Case, Finding

IMPOSSIBLE = "order_impossible"


def possible(case: Case) -> Iterator[Finding]:
    """Find what no order can be: of nothing, for nobody, over another sum than its lines."""
    for words in (*_contents(case.order), *_customer(case)):
        yield IMPOSSIBLE, words


def _contents(order: Order) -> Iterator[str]:
    if not 1 <= len(order.lines) <= MAX_LINES:
        yield f"it has {len(order.lines)} lines"
    for index, line in enumerate(order.lines):
        if not 1 <= line.quantity <= MAX_QUANTITY:
            yield f"line {index} is over {line.quantity} pieces"
        if line.unit_price < 0:
            yield f"line {index} has a unit price of {line.unit_price}"
        if reads_as_empty(line.menu_id):
            yield f"line {index} does not say what of"
    total = sum(line.amount for line in order.lines)
    if order.total != total:
        yield f"its total is {order.total}, its lines are {total}"
    if not 0 <= order.total <= MAX_TOTAL:
        yield f"its total is {order.total}"
    if reads_as_empty(order.store_id):
        yield "it is for no store"
    if reads_as_empty(order.currency):
        yield "it has no currency"


def _customer(case: Case) -> Iterator[str]:
    order, private = case.order, case.dossier.private
    if reads_as_empty(order.customer_id):
        yield "it has no customer"
    if order.erased or private is None:  # where the row is missing, that is found elsewhere
        return
    for name in ("name", "tel"):
        if reads_as_empty(getattr(private, name) or ""):
            yield f"its customer has no {name}"
