"""Any order of commands, steps, lost and late replies, duplicates and crashes keeps the promises.

The order's own code runs here against payment and store in memory. Messages and replies stay on
their way until hypothesis delivers them: once, twice, out of order, or never.
"""

from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.contracts.errors import Invalid, NotFound, Rejected
from actors.contracts.values import OrderStatus, PickupStatus
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from actors.order.domain.decisions import decide
from actors.order.domain.order import Order, evolve, fold
from actors.order.domain.saga import AuthorizePayment, CancelPayment, Step, next_steps
from tests.support.orders import DUE, NOON, ORDER_ID, TOTAL, place
from tests.support.participants import Acknowledged, Ahead, Message, Payment, Reply, Store, deliver

pytestmark = pytest.mark.timeout(400)  # long lives, beside all other tests

# Few keys, so that they meet again; not all of them in the hands of one kind of command.
KEYS = st.sampled_from(["k1", "k2", "k3", "k4"])
REQUESTS = st.one_of(
    st.booleans().map(lambda pay: place("place", pay=pay)),
    KEYS.map(cmd.StartPreparation),
    KEYS.map(cmd.MarkReady),
    KEYS.map(cmd.CompletePickup),
    KEYS.map(cmd.EraseCustomer),
    st.just(cmd.ExpirePayment("")),
)
AHEAD = st.sampled_from(Ahead)
PROGRESS = st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 5])
# What brings an order on.
NEXT_REQUEST: dict[OrderStatus, cmd.Request] = {
    OrderStatus.PLACED: cmd.PayOrder("fresh-pay", "tok"),
    OrderStatus.ACCEPTED: cmd.StartPreparation("fresh-start"),
    OrderStatus.PREPARING: cmd.MarkReady("fresh-ready"),
    OrderStatus.READY: cmd.CompletePickup("fresh-complete"),
}

FORWARD = list(OrderStatus)  # declared in the order of an order's life


class OrderUnderFire(RuleBasedStateMachine):
    """One order, its journal, its two participants and the network between them."""

    def __init__(self) -> None:
        super().__init__()
        self.journal: list[ev.StoredEvent] = []
        self.order: Order | None = None
        self.acknowledged = 0
        self.now: datetime = NOON
        self.payment = Payment()
        self.store = Store()
        self.messages: list[Message] = []
        self.replies: list[tuple[Reply, ...]] = []
        self.carried_out: set[str] = set()

    # --- what happens -------------------------------------------------------------------------

    @initialize(
        pay=st.sampled_from([True, True, False]),
        progress=PROGRESS,
        late=st.booleans(),
        ahead=AHEAD,
    )
    def an_order_is_placed_and_gets_somewhere(
        self, *, pay: bool, progress: int, late: bool, ahead: Ahead
    ) -> None:
        """Without this, most runs would end before the interesting part."""
        self.ask(place("place", pay=pay))
        for _ in range(progress):
            assert self.order is not None
            if self.outstanding():
                self.take(self.outstanding()[0], approve=True, ahead=ahead)
            elif self.order.status in NEXT_REQUEST:
                self.ask(NEXT_REQUEST[self.order.status])
        if late and self.outstanding():
            self.carry_out(self.outstanding()[0], approve=True, ahead=ahead)

    @rule(command=REQUESTS)
    def somebody_asks(self, command: cmd.Request) -> None:
        self.ask(command)

    @rule(key=KEYS)
    def the_customer_cancels(self, key: str) -> None:
        self.ask(cmd.CancelOrder(key, "changed my mind"))

    @rule(key=KEYS)
    def the_customer_pays(self, key: str) -> None:
        self.ask(cmd.PayOrder(key, "tok"))

    @rule(key=KEYS)
    def the_store_gives_up(self, key: str) -> None:
        self.ask(cmd.RejectOrder(key, "broken"))

    @precondition(lambda self: self.order is not None and self.order.status in NEXT_REQUEST)
    @rule()
    def somebody_brings_the_order_on(self) -> None:
        assert self.order is not None
        self.ask(NEXT_REQUEST[self.order.status])

    @precondition(lambda self: self.outstanding())
    @rule(data=st.data())
    def a_step_sets_out(self, data: st.DataObject) -> None:
        assert self.order is not None
        step = data.draw(st.sampled_from(self.outstanding()))
        self.messages.append(Message.about(step, self.order))

    @precondition(lambda self: self.outstanding())
    @rule(data=st.data(), approve=st.booleans(), ahead=AHEAD)
    def a_step_succeeds_at_once(self, data: st.DataObject, *, approve: bool, ahead: Ahead) -> None:
        step = data.draw(st.sampled_from(self.outstanding()))
        self.take(step, approve=approve, ahead=ahead)

    @precondition(lambda self: self.outstanding())
    @rule(data=st.data(), approve=st.booleans(), ahead=AHEAD)
    def a_step_succeeds_but_its_reply_is_late(
        self, data: st.DataObject, *, approve: bool, ahead: Ahead
    ) -> None:
        step = data.draw(st.sampled_from(self.outstanding()))
        self.carry_out(step, approve=approve, ahead=ahead)

    @precondition(lambda self: self.messages)
    @rule(
        data=st.data(),
        again=st.booleans(),
        lost=st.booleans(),
        approve=st.booleans(),
        ahead=AHEAD,
    )
    def a_message_arrives(
        self, data: st.DataObject, *, again: bool, lost: bool, approve: bool, ahead: Ahead
    ) -> None:
        message = data.draw(st.sampled_from(self.messages))
        if not again:
            self.messages.remove(message)
        reply = self.deliver(message, approve=approve, ahead=ahead)
        if reply and not lost:
            self.replies.append(reply)

    @precondition(lambda self: self.messages)
    @rule(data=st.data())
    def the_payment_service_dies_between_charge_and_record(self, data: st.DataObject) -> None:
        message = data.draw(st.sampled_from(self.messages))
        if isinstance(message.step, AuthorizePayment):
            self.payment.charge(message.step.attempt, approve=True)

    @precondition(lambda self: self.replies)
    @rule(data=st.data(), again=st.booleans())
    def a_reply_arrives(self, data: st.DataObject, *, again: bool) -> None:
        reply = data.draw(st.sampled_from(self.replies))
        if not again:
            self.replies.remove(reply)
        self.hear(reply)

    @rule(minutes=st.integers(-1, 10))
    def time_passes_or_the_clock_is_set_back(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    # --- the host in a few lines --------------------------------------------------------------

    def outstanding(self) -> tuple[Step, ...]:
        return next_steps(self.order, self.acknowledged) if self.order else ()

    def ask(self, command: cmd.Placement | cmd.Request) -> None:
        try:
            caused = self.run(command)
        except (Rejected, NotFound, Invalid):
            return
        if command.id and caused:
            assert command.id not in self.carried_out
            self.carried_out.add(command.id)

    def take(self, step: Step, *, approve: bool, ahead: Ahead) -> bool:
        """Carry out a step and hear its reply; return whether there was one."""
        reply = self.carry_out(step, approve=approve, ahead=ahead)
        self.hear(reply)
        return bool(reply)

    def carry_out(self, step: Step, *, approve: bool, ahead: Ahead) -> tuple[Reply, ...]:
        """Bring a step to its participant. The message and the reply stay, and may come again."""
        assert self.order is not None
        self.messages.append(Message.about(step, self.order))
        reply = self.deliver(self.messages[-1], approve=approve, ahead=ahead)
        self.replies.extend([reply] if reply else [])
        return reply

    def deliver(self, message: Message, *, approve: bool, ahead: Ahead) -> tuple[Reply, ...]:
        if isinstance(message.step, CancelPayment):
            # A ticket that ran ahead of the journal is undone once payment tells of its approval.
            unknown = message.pickup == PickupStatus.NONE
            assert not self.store.works_on_it or self.given_up() or unknown, "runs in reverse"
        return deliver(message, self.payment, self.store, approve=approve, ahead=ahead)

    def given_up(self) -> bool:
        return any(isinstance(stored.event, ev.PickupRejected) for stored in self.journal)

    def hear(self, reply: tuple[Reply, ...]) -> None:
        for outcome in reply:
            if not isinstance(outcome, Acknowledged):
                self.run(outcome)
            elif self.order is not None and outcome.version >= self.order.ticket_version:
                self.acknowledged = self.order.ticket_version

    def run(self, command: cmd.Command) -> tuple[ev.Event, ...]:
        at = self.now if self.order is None else max(self.now, self.order.last_at)
        events = decide(self.order, command, at)
        before = self.order
        if before is not None and before.finished:
            assert events in ((), (ev.CustomerErased(),)), "a finished order never changes"
        for event in events:
            stored = ev.StoredEvent(ORDER_ID, len(self.journal) + 1, event, at, command.id)
            self.order = evolve(self.order, stored)
            self.journal.append(stored)
        if before is not None and self.order is not None:
            assert FORWARD.index(self.order.status) >= FORWARD.index(before.status)
        return events

    # --- what holds at any moment -------------------------------------------------------------

    @invariant()
    def at_most_one_charge_is_live(self) -> None:
        assert len(self.payment.live_charges) <= 1

    @invariant()
    def there_is_no_ticket_without_an_approved_payment(self) -> None:
        assert self.store.status is None or self.payment.was_approved

    @invariant()
    def canceled_means_that_everything_was_undone(self) -> None:
        if self.order is not None and self.order.status is OrderStatus.CANCELED:
            assert not self.payment.live_charges
            # The barista's own rejection is on its way to the ticket like any other update.
            assert not self.store.works_on_it or (self.given_up() and self.outstanding())

    @invariant()
    def what_is_made_is_paid_for(self) -> None:
        made = (OrderStatus.PREPARING, OrderStatus.READY, OrderStatus.PICKED_UP)
        if self.order is not None and self.order.status in made:
            assert len(self.payment.live_charges) == 1
            assert self.order.total == TOTAL

    @invariant()
    def the_journal_says_of_an_attempt_what_payment_said(self) -> None:
        for stored in self.journal:
            if isinstance(stored.event, ev.PaymentApproved | ev.PaymentDeclined):
                approved = isinstance(stored.event, ev.PaymentApproved)
                answer = self.payment.answers[stored.event.attempt]
                assert answer == ("APPROVED" if approved else "DECLINED")

    @invariant()
    def a_customer_cannot_cancel_what_is_being_made(self) -> None:
        happened = [stored.event for stored in self.journal]
        by_customer = [e for e in happened if isinstance(e, ev.OrderCanceled) and e.by != "store"]
        assert not (by_customer and ev.PreparationStarted() in happened)

    @invariant()
    def one_decision_cancels_an_order(self) -> None:
        decisions = [s for s in self.journal if isinstance(s.event, ev.OrderCanceled)]
        assert len(decisions) <= 1

    @invariant()
    def a_crash_at_this_moment_loses_nothing(self) -> None:
        """What a restarted host folds is what the dead one knew."""
        assert fold(self.journal) == self.order

    @invariant()
    def the_history_has_no_gap_and_its_time_never_runs_back(self) -> None:
        assert [stored.version for stored in self.journal] == [*range(1, len(self.journal) + 1)]
        times = [stored.at for stored in self.journal]
        assert times == sorted(times)

    # --- what holds in the end ----------------------------------------------------------------

    def teardown(self) -> None:
        if self.order is None:
            return
        self.run_to_rest()
        rested = self.order
        for message in self.messages:
            self.deliver(message, approve=True, ahead=Ahead.HEARD)
        for reply in self.replies:
            self.hear(reply)
        assert self.order == rested, "what arrives after everything was said changes nothing"
        self.canceled_means_that_everything_was_undone()
        self.the_ticket_is_where_the_order_is()
        self.an_unpaid_order_ends_at_its_deadline()

    def run_to_rest(self) -> None:
        steps_taken = 0
        while self.outstanding():
            steps_taken += 1
            assert steps_taken < 10, "the saga goes round in circles"
            answered = self.take(self.outstanding()[0], approve=True, ahead=Ahead.HEARD)
            assert answered, "a step that is outstanding is not refused for ever"
        assert self.order is not None
        assert self.order.status not in (OrderStatus.PAID, OrderStatus.CANCELING)

    def the_ticket_is_where_the_order_is(self) -> None:
        if self.order is not None and self.store.status is not None:
            # A store that had refused already has nothing to cancel, whatever the order calls it.
            assert self.store.status in (self.order.pickup, "REJECTED")
            assert not (self.order.erased and self.store.named)

    def an_unpaid_order_ends_at_its_deadline(self) -> None:
        assert self.order is not None
        if self.order.status is OrderStatus.PLACED:
            self.now = DUE
            assert self.run(cmd.ExpirePayment(""))
            assert self.order.finished
            assert not self.payment.live_charges


TestOrderUnderFire = OrderUnderFire.TestCase
TestOrderUnderFire.settings = settings(stateful_step_count=30)
