"""The way in for programs: commands to the order hosts, reads from the databases.

`AsyncSiren` is what the gateway uses; `Siren` is the same for scripts without an event loop.
Every command is repeated with the same id until it is answered, so it happens once.
"""

import asyncio
import logging
import threading
import uuid
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Self, TypeVar

import msgspec
from ray.exceptions import RayError

from actors.addressing import host_of
from actors.codec import pack, to_json
from actors.contracts.errors import (
    AlreadyPlaced,
    Invalid,
    NotFound,
    Rejected,
    SirenError,
    SoldOut,
    Unavailable,
)
from actors.contracts.limits import MAX_ID, MAX_KEY, MAX_WAIT_S
from actors.contracts.messages import MenuItemChange, OrderReply, OrderRequest, StoreChange
from actors.contracts.texts import check_text, check_visible_ascii, invalid, is_visible_ascii
from actors.contracts.values import Line, PrivateData
from actors.finding import find_installation
from actors.installation import Installation
from actors.order.actor import order_host
from actors.order.domain import commands as cmd
from actors.order.domain.detail import detail
from actors.order.domain.order import fold
from actors.order.domain.rules import check, check_capacity, check_price, check_switch
from actors.order.histories import OrderHistories
from actors.order.journal import Journal
from actors.order.new_order import NewOrder, body_of, check_new_order
from actors.payment.queries import PaymentQueries
from actors.runtime.database_faults import file_of, noted_damage
from actors.runtime.exchange import Channel
from actors.runtime.paging import Cursors, Page, check_limit
from actors.settings import SERVICES, Service, Settings
from actors.store.actor import store_actor
from actors.store.queries import Offer, StoreQueries
from readmodel.projector import projection_actor
from readmodel.queries import OrderDetails, Watcher

__all__ = ["AsyncSiren", "NewOrder", "Siren", "find_installation"]

DEFAULT_WAIT_S = 2.0
LARGEST_STEP = 20_000
"""Orders whose payments are looked up with one query, where few of them match."""
WORK_S = 0.5
"""How long an answer may take before whoever asked counts as one who merely waits."""
ANSWER_MARGIN_S = 5.0
"""How much longer than its `wait` a command may take before it counts as unavailable."""

logger = logging.getLogger("siren")
Answer = TypeVar("Answer")
Detail = dict[str, Any]
Waiting = Callable[[], AbstractContextManager[bool]]
"""Entered while a command that was carried out waits to be settled; False: it may not wait."""


class AsyncSiren:
    """Commands and queries of one installation, for an event loop.

    Commands return the order as it is once it is settled, or after `wait` seconds, of which more
    than 30 count as 30. They raise `Rejected`, `Invalid` (which names the field), `NotFound`, or
    `Unavailable` (repeat with the same `key`).
    """

    def __init__(self, installation: Installation) -> None:
        settings = installation.settings
        self.installation = installation
        self.journal = Journal(settings.url("journal"))
        self.histories = OrderHistories(self.journal.database, installation.secret)
        self.details = OrderDetails(settings.url("readmodel"), installation.secret)
        self.watcher = Watcher(self.details)
        self.payments = PaymentQueries(settings.url("payments"), installation.secret)
        self._own_payments = Cursors("payments of a customer", installation.secret)
        self.stores = StoreQueries(settings.url("stores"), installation.secret)
        self._order_hosts = [self._host_channel(n) for n in range(installation.order_hosts)]
        self._store = Channel(lambda: store_actor(installation))
        self.waiting: Waiting = _patiently

    def _host_channel(self, host: int) -> Channel:
        connect = partial(order_host, self.installation, projection_actor, host)
        return Channel(connect)

    @classmethod
    async def connect(cls, address: str | None = None) -> Self:
        """Connect to the running installation; raises `Unavailable` where siren is not up."""
        return cls(await asyncio.to_thread(find_installation, address))

    async def place(
        self, order: NewOrder, key: str | None = None, wait: float = DEFAULT_WAIT_S
    ) -> OrderReply:
        """Place an order. The same customer and `key` again give the same order (`replayed`).

        Raises `Rejected` with code `store_closed`, `sold_out` or `store_full`, `PriceChanged`
        where the total is not the expected one, and `Invalid` for what is not valid, an unknown
        store or menu item, or a key that placed a different order. Nothing is placed then.
        """
        _check_key(key)
        check_text(order.customer_id, "/customer/id", MAX_ID)
        order_id = self.installation.order_id(order.customer_id, key)
        try:
            check_new_order(order)
            offer = await self.stores.offer(order.store_id)
            lines, currency = _priced(offer, order.items), offer.currency
        except (Rejected, Invalid):
            # A repeat is answered from what was placed, whatever is said of it today.
            known = await self.journal.placed_as(order_id) if key is not None else None
            if known is None:
                raise
            order_id, lines, currency = known, (), ""
        deadline = timedelta(seconds=self.installation.settings.payment_deadline_s)
        command = cmd.PlaceOrder(
            # The journal keeps the body's own hash with the order.
            id=self.installation.command_id(order_id, key) if key else order_id,
            customer_id=order.customer_id,
            store_id=order.store_id,
            lines=lines,
            currency=currency,
            body_hash=self.installation.digest(body_of(order)),
            payment_due=datetime.now(UTC) + deadline,
            pay=order.token is not None,
            private=PrivateData(order.name, order.tel, order.token),
            expected_total=order.expected_total,
        )
        try:
            return await self._ask(order_id, command, wait)
        except AlreadyPlaced as before:  # a repeat comes with an id of its own
            return await self._ask(before.order_id, command, wait)

    async def pay(
        self, order_id: str, token: str, key: str | None = None, wait: float = DEFAULT_WAIT_S
    ) -> OrderReply:
        """Charge the order's total; `attempt` in the reply says how it ended.

        Raises `Rejected` with code `store_closed`, `sold_out` or `store_full` before anything is
        charged, where the store is known not to make the order.
        """
        _check_order_id(order_id)
        refusal = await self._refusal(order_id)
        command_id = self._id(order_id, key, "pay", token)
        return await self.send(order_id, cmd.PayOrder(command_id, token, refusal), wait)

    async def cancel(
        self,
        order_id: str,
        reason: str = "customer_request",
        key: str | None = None,
        wait: float = DEFAULT_WAIT_S,
    ) -> OrderReply:
        """Cancel an order that nobody prepares yet, and undo what was done for it."""
        command_id = self._id(order_id, key, "cancel", reason)
        return await self.send(order_id, cmd.CancelOrder(command_id, reason), wait)

    async def start(
        self, order_id: str, key: str | None = None, wait: float = DEFAULT_WAIT_S
    ) -> OrderReply:
        """Begin to prepare an accepted order."""
        command_id = self._id(order_id, key, "start")
        return await self.send(order_id, cmd.StartPreparation(command_id), wait)

    async def ready(
        self, order_id: str, key: str | None = None, wait: float = DEFAULT_WAIT_S
    ) -> OrderReply:
        """Call the number of a prepared order."""
        command_id = self._id(order_id, key, "ready")
        return await self.send(order_id, cmd.MarkReady(command_id), wait)

    async def complete(
        self, order_id: str, key: str | None = None, wait: float = DEFAULT_WAIT_S
    ) -> OrderReply:
        """Hand over an order that is ready."""
        command_id = self._id(order_id, key, "complete")
        return await self.send(order_id, cmd.CompletePickup(command_id), wait)

    async def reject(
        self, order_id: str, reason: str, key: str | None = None, wait: float = DEFAULT_WAIT_S
    ) -> OrderReply:
        """Give an order up on the store's side: refund and cancel."""
        command_id = self._id(order_id, key, "reject", reason)
        return await self.send(order_id, cmd.RejectOrder(command_id, reason), wait)

    async def erase(self, order_id: str, wait: float = DEFAULT_WAIT_S) -> OrderReply:
        """Forget the customer's name and phone number of one order."""
        command_id = self._id(order_id, None, "erase")
        return await self.send(order_id, cmd.EraseCustomer(command_id), wait)

    async def change_store(self, change: StoreChange) -> None:
        """Open, close or limit a store; raises `NotFound`, or `Invalid` naming the field."""
        check_visible_ascii(change.store_id, "/store_id", MAX_ID)
        check_switch(change.open, "/open")
        check_capacity(change.capacity)
        await self._store.ask(change, ANSWER_MARGIN_S)

    async def change_menu_item(self, change: MenuItemChange) -> None:
        """Change a price or sell out; raises `NotFound`, or `Invalid` naming the field."""
        check_visible_ascii(change.store_id, "/store_id", MAX_ID)
        check_visible_ascii(change.menu_id, "/menu_id", MAX_ID)
        check_switch(change.sold_out, "/sold_out")
        check_price(change.price)
        await self._store.ask(change, ANSWER_MARGIN_S)

    async def order(self, order_id: str) -> bytes:
        """Return the order detail folded from the committed journal: linearizable, no actor."""
        _check_order_id(order_id)
        history = await self.journal.load(order_id)
        with self.journal.database.faults.readable:
            order = fold(history.events)
            body = None if order is None else to_json(detail(order, history.private))
        if body is None:
            raise NotFound("order_not_found", "There is no order with this id.")
        return body

    async def detail(self, order_id: str) -> bytes:
        """Return the order detail from the view, whatever else is down."""
        _check_order_id(order_id)
        row = await self.details.get(order_id)
        if row is None:
            raise NotFound("order_not_found", "The view has no order with this id.")
        return row.body.encode()

    async def payments_of(
        self, customer_id: str, status: str | None, limit: int, cursor: str | None
    ) -> Page:
        """Return a customer's payments, those of the newest order first.

        The payment service knows no customers: the view tells whose an order is. What is read is
        in proportion to the page, unless few payments have the `status`. Raises `Invalid` for a
        cursor that was not made here.
        """
        check_limit(limit)
        bound = {"customer_id": customer_id, "status": status}
        last: str | None = None
        if cursor is not None:
            (last,) = self._own_payments.decode(bound, cursor, str)
        found: list[dict[str, Any]] = []
        step = limit + 1
        while len(found) <= limit:
            order_ids = await self.details.order_ids(customer_id, step, last)
            known = await self.payments.of_orders(order_ids, status)
            found += [known[order_id] for order_id in order_ids if order_id in known]
            if len(order_ids) < step:
                break
            last, step = order_ids[-1], min(4 * step, LARGEST_STEP)
        next_cursor = None
        if len(found) > limit:
            next_cursor = self._own_payments.encode(bound, found[limit - 1]["order_id"])
        return Page(found[:limit], next_cursor)

    async def wait_for(self, order_id: str, status: str, timeout: float = 30) -> bytes:
        """Return the order detail once the view shows `status`.

        Raises `TimeoutError` after `timeout` seconds.
        """
        _check_order_id(order_id)
        version = 0
        async with asyncio.timeout(timeout):
            while True:
                row = await self.watcher.wait_beyond(order_id, version, timeout)
                if row is not None:
                    version = row.version
                    if msgspec.json.decode(row.body)["order_status"] == status:
                        return row.body.encode()

    async def not_ready(self, timeout: float = 2.0) -> list[str]:
        """Return what is missing before orders can be placed: nothing, where all is well."""
        hosts = range(self.installation.order_hosts)
        answers = await asyncio.gather(*(self._probe(host, timeout) for host in hosts))
        missing = [answer for answer in answers if answer is not None]
        return missing + [
            f"database:{name}" for name in damaged_databases(self.installation.settings)
        ]

    async def _probe(self, host: int, timeout: float) -> str | None:
        try:
            async with asyncio.timeout(timeout):
                connecting = asyncio.to_thread(
                    order_host, self.installation, projection_actor, host
                )
                await (await connecting).ready.remote()
        except (RayError, SirenError, TimeoutError, ValueError) as error:
            # The cause is for operators: it may name hosts and files.
            cause = getattr(error, "cause", None) or error
            logger.warning("order-host:%d is not ready: %s", host, str(cause) or type(cause))
            return f"order-host:{host}"
        return None

    def _id(self, order_id: str, key: str | None, kind: str, *body: str) -> str:
        _check_order_id(order_id)
        _check_key(key)
        said = map(str, body)  # whatever it is: `send` refuses what it may not be
        return self.installation.command_id(order_id, key or uuid.uuid4().hex, kind, *said)

    async def send(self, order_id: str, command: cmd.Command, wait: float) -> OrderReply:
        """Send a command to the order's mailbox and return the order after it.

        Raises `Invalid`, naming the field, before it is sent.
        """
        _check_order_id(order_id)
        check(command)
        return await self._ask(order_id, command, wait)

    async def _ask(self, order_id: str, command: cmd.Command, wait: float) -> OrderReply:
        wait, loop = _bounded(wait), asyncio.get_running_loop()
        channel = self._order_hosts[host_of(order_id, self.installation.order_hosts)]
        request, began = OrderRequest(order_id, pack(command), min(wait, WORK_S)), loop.time()
        reply: OrderReply = await channel.ask(request, wait + ANSWER_MARGIN_S)
        left = began + wait - loop.time()
        if reply.settled or left <= 0 or loop.time() < began + WORK_S:
            return reply  # a payment is answered once it is final, settled or not
        # Sent again it causes nothing, and waits for the rest. What it did is done, whatever comes.
        with self.waiting() as may_wait, suppress(SirenError):
            if may_wait:
                again = OrderRequest(order_id, request.command, left)
                later: OrderReply = await channel.ask(again, left + ANSWER_MARGIN_S)
                return msgspec.structs.replace(later, replayed=reply.replayed)
        return reply

    async def _refusal(self, order_id: str) -> str | None:
        """Return why its store would not make an order now; None where nothing is known of it."""
        placed = await self.histories.placed(order_id)
        if placed is None:
            return None
        try:
            offer = await self.stores.offer(placed.store_id)
        except Invalid as unknown:
            return unknown.code
        except Unavailable:  # found out after the payment then, and refunded
            return None
        return offer.refusal([line.menu_id for line in placed.lines])

    async def close(self) -> None:
        """Close the database connections."""
        await self.watcher.close()
        for queries in (self.journal, self.details, self.payments, self.stores):
            await queries.close()


class Siren:
    """`AsyncSiren` for scripts: the same commands, blocking, with everything as dicts.

    Prices are whole numbers in the currency's minor unit, times are texts (RFC 3339, UTC). Every
    call may raise `Unavailable`: whether a command has happened is unknown then, and the same call
    with the same `key` is right. Otherwise `Rejected` is the business's no, `Invalid` names what
    cannot be understood, `NotFound` says that there is no such thing; all are `SirenError`, with a
    `code` for programs and a `detail` for people.
    """

    def __init__(self, address: str | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._siren = self._run(AsyncSiren.connect(address))

    @classmethod
    def connect(cls, address: str | None = None) -> Self:
        """Connect to one running system.

        It is the one of `SIREN_DATA_DIR`, `RAY_ADDRESS` or ./data, or the cluster at `address`
        (host:port). Raises `Unavailable` where that leaves a choice or nothing runs there.
        """
        return cls(address)

    def place(self, order: NewOrder, key: str | None = None, wait: float = 2.0) -> Detail:
        """Place an order and return it once it is settled, or after `wait` seconds.

        Raises `Rejected` (`store_closed`, `sold_out`, `store_full`, `price_changed`), `Invalid`
        for what no store could make, an unknown store or menu item or a key that placed another
        order, or `Unavailable`. The same customer and `key` again give the same order.
        """
        return self._command(self._siren.place(order, key, wait))

    def pay(self, order_id: str, token: str, key: str | None = None) -> Detail:
        """Charge the order's total; `payment_status` says how it ended.

        Raises `NotFound`, `Rejected` where it cannot be paid (any more), `Invalid`, or
        `Unavailable`.
        """
        return self._command(self._siren.pay(order_id, token, key))

    def cancel(self, order_id: str, reason: str = "customer_request") -> Detail:
        """Cancel an order that nobody prepares yet, and undo what was done for it.

        Raises `NotFound`, `Rejected` (`not_cancelable`), `Invalid`, or `Unavailable`.
        """
        return self._command(self._siren.cancel(order_id, reason))

    def start(self, order_id: str) -> Detail:
        """Begin to prepare an accepted order.

        Raises `NotFound`, `Rejected` (`out_of_turn`), or `Unavailable`.
        """
        return self._command(self._siren.start(order_id))

    def ready(self, order_id: str) -> Detail:
        """Call the number of a prepared order; raises what `start` raises."""
        return self._command(self._siren.ready(order_id))

    def complete(self, order_id: str) -> Detail:
        """Hand over an order that is ready; raises what `start` raises."""
        return self._command(self._siren.complete(order_id))

    def reject(self, order_id: str, reason: str) -> Detail:
        """Give an order up on the store's side: refund and cancel.

        Raises `NotFound`, `Rejected` (`out_of_turn`), `Invalid`, or `Unavailable`.
        """
        return self._command(self._siren.reject(order_id, reason))

    def detail(self, order_id: str) -> Detail:
        """Return the order detail from the view; raises `NotFound` or `Unavailable`.

        The view follows the journal within milliseconds: `order` is never behind.
        """
        return _decoded(self._run(self._siren.detail(order_id)))

    def order(self, order_id: str) -> Detail:
        """Return the order as the journal has it; raises `NotFound` or `Unavailable`."""
        return _decoded(self._run(self._siren.order(order_id)))

    def wait_for(self, order_id: str, status: str, timeout: float = 30) -> Detail:
        """Return the order detail once the view shows `status`.

        Raises `TimeoutError` after `timeout` seconds, or `Unavailable`.
        """
        return _decoded(self._run(self._siren.wait_for(order_id, status, timeout)))

    def stores(self) -> list[Detail]:
        """Return all stores with opening state, queue and wait; raises `Unavailable`."""
        return _plain(self._run(self._siren.stores.stores()))

    def menu(self, store_id: str) -> list[Detail]:
        """Return a store's menu in the order of its board; raises `NotFound` or `Unavailable`."""
        return _plain(self._run(self._siren.stores.menu(store_id)))

    def orders(
        self,
        customer_id: str | None = None,
        store_id: str | None = None,
        order_status: str | None = None,
        limit: int = 50,
    ) -> list[Detail]:
        """Return order details that match all that is given, newest first, 200 at most.

        Raises `Invalid` for a limit out of range, or `Unavailable`.
        """
        found = self._siren.details.page(customer_id, store_id, order_status, limit)
        return [msgspec.json.decode(body) for body in self._run(found).items]

    def tickets(
        self,
        store_id: str | None = None,
        status: str | None = None,
        order_id: str | None = None,
        limit: int = 50,
    ) -> list[Detail]:
        """Return tickets that match all that is given, oldest first, 200 at most.

        Raises as `orders` does.
        """
        found = self._siren.stores.tickets(store_id, status, order_id, limit)
        return _plain(self._run(found).items)

    def payments(
        self, order_id: str | None = None, status: str | None = None, limit: int = 50
    ) -> list[Detail]:
        """Return payments, at most one an order, newest first, 200 at most; raises as `orders`."""
        return _plain(self._run(self._siren.payments.page(order_id, status, limit)).items)

    def close(self) -> None:
        """Close the connections; the installation goes on."""
        self._run(self._siren.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _command(self, command: Coroutine[Any, Any, OrderReply]) -> Detail:
        return _decoded(self._run(command).detail)

    def _run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def damaged_databases(settings: Settings) -> dict[Service, str]:
    """Return what was noted of the databases that are damaged, by the service."""
    files = {service: file_of(settings.url(service)) for service in SERVICES}
    notes = {service: noted_damage(file) for service, file in files.items() if file is not None}
    return {service: note for service, note in notes.items() if note is not None}


def _priced(offer: Offer, items: tuple[tuple[str, int], ...]) -> tuple[Line, ...]:
    """Freeze names and prices; raises what is known now to stand against the order."""
    lines, sold_out = [], {}
    for index, (menu_id, quantity) in enumerate(items):
        item = offer.items.get(menu_id)
        if item is None:
            detail = f"{offer.store_id} has no menu item {menu_id!r}."
            raise Invalid("unknown_menu_item", detail, f"/items/{index}/menu_id")
        if item.sold_out:
            sold_out[menu_id] = item.name
        lines.append(Line(menu_id, item.name, quantity, item.price))
    if sold_out:
        raise SoldOut(sold_out, sold_out.values())
    if not offer.open:
        raise Rejected("store_closed", "The store is closed.")
    if offer.full:
        raise Rejected("store_full", "The store takes no more orders at the moment.")
    return tuple(lines)


def _check_key(key: str | None) -> None:
    if key is not None:
        check_visible_ascii(key, "/key", MAX_KEY)


def _check_order_id(order_id: str) -> None:
    if not isinstance(order_id, str):
        raise invalid("Must be a text", "/order_id")
    if not is_visible_ascii(order_id, MAX_ID):  # no database need be asked
        raise NotFound("order_not_found", "There is no order with this id.")


def _bounded(wait: float) -> float:
    """Return how long to wait: 30 seconds at most, as for those who come by HTTP."""
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not wait >= 0:
        raise invalid("Must be a number of seconds, 0 or more", "/wait")
    return min(wait, MAX_WAIT_S)


def _patiently() -> AbstractContextManager[bool]:
    return nullcontext(enter_result=True)


def _decoded(body: bytes) -> Detail:
    decoded: Detail = msgspec.json.decode(body)
    return decoded


def _plain(rows: list[Detail]) -> list[Detail]:
    """Return rows as their JSON has them: no enumerations, times as texts."""
    plain: list[Detail] = msgspec.json.decode(to_json(rows))
    return plain
