"""Bugs that somebody might write, as patches: the simulation has to find each."""

# ruff: noqa: E501 - texts of other files

from tests.simulation.planting import (
    APPENDS,
    DECISIONS,
    OUTCOME,
    PAYMENT,
    PROJECTION,
    SAGA,
    STEPS,
    TABLES,
    TICKETS,
    VIRTUAL_ORDER,
    planted,
)

BUGS = (
    planted(
        "the fence of the journal is removed: an append does not look at the order's version",
        {"an event is missing or twice in the journal"},
        (
            APPENDS,
            "if current != append.expected_version:",
            "if current and not append.expected_version:",
        ),
        (TABLES, '    UniqueConstraint("order_id", "version"),\n', ""),
    ),
    planted(
        "what the store rejects is not paid back",
        {"not at rest"},
        (
            DECISIONS,
            (
                "case cmd.RecordTicketRejection(reason=reason) if order.status is PAID:\n"
                '            return (ev.PickupRejected(reason), ev.OrderCanceled(reason, "store"))'
            ),
            (
                "case cmd.RecordTicketRejection(reason=reason) if order.status is PAID:\n"
                "            return (ev.PickupRejected(reason),)"
            ),
        ),
    ),
    planted(
        "each try of a payment has a key of its own",
        {"charged without an intent", "charged twice", "charged for nothing"},
        (
            PAYMENT,
            'return f"{order_id}:{attempt}"',
            'return f"{order_id}:{attempt}:{time.monotonic_ns()}"',
        ),
    ),
    planted(
        "the projection's checkpoint commits before its rows do",
        {"rows and checkpoint of the view differ"},
        (
            PROJECTION,
            (
                "        move = partial(self._move, here, step, rows)\n"
                "        if not await self._commits.run(move, lambda: [here], len(rows)):\n"
                "            return False\n"
            ),
            (
                "        if not await self._commits.run(\n"
                "            partial(self._move, here, step, []), lambda: [here]\n"
                "        ):\n"
                "            return False\n"
                "        await self._database.transact(lambda t: rows and t.change(self._upsert, rows))\n"
            ),
        ),
    ),
    planted(
        "a payment of which nothing is known counts as declined",
        {"charged for nothing", "payment and order differ"},
        (
            STEPS,
            "        reply: PaymentReply = await self._payment.ask(charge, STEP_TIMEOUT_S)\n",
            (
                "        try:\n"
                "            reply: PaymentReply = await self._payment.ask(charge, STEP_TIMEOUT_S)\n"
                "        except Unavailable:\n"
                '            return (cmd.RecordDecline("", attempt, "unknown"),)\n'
            ),
        ),
    ),
    planted(
        "a refund of which nothing is known counts as done",
        {"payment and order differ", "charged for nothing"},
        (
            STEPS,
            (
                "        reply: PaymentReply = await self._payment.ask(request, STEP_TIMEOUT_S)\n"
                '        if reply.status == "DECLINED" and'
            ),
            (
                "        try:\n"
                "            reply: PaymentReply = await self._payment.ask(request, STEP_TIMEOUT_S)\n"
                "        except Unavailable:\n"
                '            return (cmd.RecordPaymentCanceled("", None),)\n'
                '        if reply.status == "DECLINED" and'
            ),
        ),
    ),
    planted(
        "a request that comes twice is not known again",
        {"a repeat is refused", "refused and done"},
        (DECISIONS, "known = order.requests.get(key)", "known = None"),
    ),
    planted(
        "an idempotency key may place two orders",
        {"placed twice"},
        (APPENDS, "if first != append.order_id:", "if not first:"),
        (
            "actors/order/journal_statements.py",
            "self.insert_keys = prepare(insert(order_keys), k.keys())",
            'self.insert_keys = database.prepare_upsert(order_keys, "key", ("order_id",))',
        ),
    ),
    planted(
        "the payment deadline is lost with the process: nothing of it is stored",
        {"not at rest", "deadline missed"},
        (
            SAGA,
            "return order.payment_due if order.status is OrderStatus.PLACED else None",
            "return None",
        ),
    ),
    planted(
        "an order with a step outstanding is not among the open ones: no restart finds it",
        {"not at rest", "charged for nothing"},
        (SAGA, "        return order.last_at\n", "        return None\n"),
    ),
    planted(
        "a nudge is trusted more than the position: what comes without one is not looked for",
        {"view and journal differ", "not at rest within the hour"},
        (PROJECTION, "        self._certain = False  # crash here", "        # crash here"),
        (
            PROJECTION,
            (
                "        if not await self._commits.run(move, lambda: [here], len(rows)):\n"
                "            return False\n"
                '        self.position, self._last = position, step["new_event"]\n'
            ),
            (
                '        self.position, self._last = position, step["new_event"]\n'
                "        if not await self._commits.run(move, lambda: [here], len(rows)):\n"
                "            return False\n"
            ),
        ),
    ),
    planted(
        "a command is acknowledged before its events are committed",
        {"acknowledged before the commit"},
        (
            VIRTUAL_ORDER,
            "            self._seal = await self._around.journal.append(append)\n",
            "            self._around.spawn(self._around.journal.append(append))\n",
        ),
    ),
    planted(
        "a payment is approved before its approval is committed",
        {"a ticket before its payment"},
        (
            PAYMENT,
            (
                "        payment = await self._ledger.apply(\n"
                "            request.order_id, lambda known: known.charged(request, answer, now), before\n"
                "        )\n"
                "        status = payment.outcome_of(request.attempt)\n"
            ),
            (
                "        payment = before.charged(request, answer, now)\n"
                "        status = payment.outcome_of(request.attempt)\n"
                "        self._later = asyncio.create_task(self._ledger.apply(\n"
                "            request.order_id, lambda known: known.charged(request, answer, now)\n"
                "        ))\n"
            ),
        ),
    ),
    planted(
        "two projectors: who was slower writes its rows all the same",
        {"the view went back", "rows and checkpoint of the view differ"},
        (
            PROJECTION,
            (
                "        if [tuple(row) for row in transaction.all(*here[:2])] != here[2]:\n"
                "            return False\n"
            ),
            "",
        ),
        (
            PROJECTION,
            "            where=insert.excluded.version > table.c.version,  # a row never goes back\n",
            "",
        ),
    ),
    planted(
        "the clock is believed when it is set back",
        {"time went back"},
        (
            OUTCOME,
            (
                "        return max(now, order.last_at, order.payment_due)\n"
                "    return max(now, order.last_at)"
            ),
            "        return now\n    return now",
        ),
    ),
    planted(
        "an order is popped from memory while others queue on it",
        {"an order is twice in memory"},
        (
            VIRTUAL_ORDER,
            "return bool(self.mailbox.occupied or self._running or self._waiters)",
            "return bool(self._running or self._waiters)",
        ),
    ),
    planted(
        "a refund undoes the first attempt only",
        {"charged for nothing"},
        (PAYMENT, "for n in range(payment.attempts)]", "for n in range(min(1, payment.attempts))]"),
    ),
    planted(
        "a refund is written down before the provider is asked for it",
        {"charged for nothing"},
        (
            PAYMENT,
            "        keys = [payment_key(",
            (
                "        payment = await self._ledger.apply(\n"
                "            payment.order_id, lambda known: known.refunded(now_micros())\n"
                "        )\n"
                "        keys = [payment_key("
            ),
        ),
    ),
    planted(
        "the store follows an update that was overtaken by a newer one",
        {"ticket and order differ"},
        (TICKETS, "if ticket is None or message.version <= ticket.version:", "if ticket is None:"),
    ),
    planted(
        "more is charged than the button said",
        {"charged wrongly"},
        (
            DECISIONS,
            "if command.expected_total not in (None, total):",
            "if command.expected_total is None and not total:",
        ),
    ),
    planted(
        "who loses an append takes its command for done instead of deciding again",
        {"acknowledged and lost"},
        (
            VIRTUAL_ORDER,
            "                await self._load()\n            else:\n                return True\n",
            "                await self._load()\n            return True\n",
        ),
    ),
)
