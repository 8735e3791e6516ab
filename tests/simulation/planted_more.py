"""More bugs that somebody might write, for the long form of the tests; see `planted`."""

# ruff: noqa: E501 - texts of other files

from tests.simulation.planting import (
    APPENDS,
    CLIENT,
    IDS,
    LEDGER,
    OUTCOME,
    STEPS,
    TICKETS,
    planted,
)

MORE = (
    planted(
        "a ticket is asked for ahead of the payment's approval",
        {"a ticket before its payment"},
        (
            STEPS,
            "        reply: PaymentReply = await self._payment.ask(charge, STEP_TIMEOUT_S)\n",
            (
                "        await self._open(order, private, STEP_TIMEOUT_S)\n"
                "        reply: PaymentReply = await self._payment.ask(charge, STEP_TIMEOUT_S)\n"
            ),
        ),
    ),
    planted(
        "a ticket's cancellation is written down, and never asked for",
        {"ticket and order differ"},
        (
            STEPS,
            (
                "        await self._store.ask(request, STEP_TIMEOUT_S)\n"
                "        return cmd.RecordTicketCanceled"
            ),
            "        return cmd.RecordTicketCanceled",
        ),
    ),
    planted(
        "a ticket that was opened ahead of its approval's event is forgotten by the compensation",
        {"ticket and order differ"},
        (
            STEPS,
            (
                "        if reply.was_approved and order.pickup is PickupStatus.NONE:\n"
                "            return (await self._cancel_ticket(order), refunded)\n"
            ),
            "",
        ),
    ),
    planted(
        "payment leaves no tombstone behind a refund",
        {"charged for nothing", "payment and order differ", "not at rest within the hour"},
        (LEDGER, "            refused=True,", "            refused=False,"),
    ),
    planted(
        "a refund takes no charge into account that is still on its way",
        {"charged for nothing"},
        (LEDGER, "attempts=max(attempts, self.attempts),", "attempts=self.attempts,"),
    ),
    planted(
        "the store leaves no tombstone where it has no ticket yet",
        {"ticket and order differ"},
        (
            TICKETS,
            "        books.put(Ticket(message.order_id, message.store_id, canceled, at))",
            "        pass",
        ),
    ),
    planted(
        "the store opens a cancelled ticket again",
        {"ticket and order differ"},
        (
            TICKETS,
            "    if ticket is None:\n        ticket = _new_ticket",
            (
                "    if ticket is None or ticket.status == PickupStatus.CANCELED:\n"
                "        ticket = _new_ticket"
            ),
        ),
    ),
    planted(
        "an event is sealed as if none were before it",
        {"seals are broken"},
        (OUTCOME, "        seal=seal,", "        seal=0,"),
    ),
    planted(
        "the seals are not added up",
        {"seals are broken"},
        (
            APPENDS,
            '        transaction.change(statements.add_sums, [{"id": 1, "unsealed_until": 0, **sums}])\n',
            "",
        ),
    ),
    planted(
        "each command has a key of its own, whatever its client's is",
        {"acknowledged and lost"},
        (CLIENT, "key or uuid.uuid4().hex, kind", "uuid.uuid4().hex, kind"),
    ),
    planted(
        "the key of a placement is not looked at",
        {"placed twice"},
        (
            CLIENT,
            "order_id = new_order_id(self.installation, order.customer_id, key)",
            "order_id = new_order_id(self.installation, order.customer_id, None)",
        ),
    ),
    planted(
        "two customers with the same key are taken for one",
        {"a key is taken for another", "told of another's order"},
        (IDS, 'f"{len(customer_id)}:{customer_id}{key}".encode()', 'f"{key}".encode()'),
    ),
)
