"""The way in: commands to the order hosts and the store. Knows no view.

Every command is repeated with the same id until it is answered, so it happens once.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from ray.exceptions import RayError

from actors.command_waits import ANSWER_MARGIN_S, WORK_S, Waiting, followed, patiently
from actors.contracts.errors import (
    AlreadyPlaced,
    Invalid,
    NotFound,
    Rejected,
    SirenError,
    Unavailable,
)
from actors.contracts.limits import MAX_ID, MAX_KEY, MAX_WAIT_S
from actors.contracts.messages import MenuItemChange, OrderReply, OrderRequest, StoreChange
from actors.contracts.texts import check_text, check_visible_ascii, invalid
from actors.contracts.values import PrivateData
from actors.installation import Installation
from actors.order.command_codec import pack_command
from actors.order.domain import commands as cmd
from actors.order.domain.detail import detail
from actors.order.domain.order import fold
from actors.order.domain.validation import check
from actors.order.ids import check_order_id, command_id, host_of, new_order_id
from actors.order.journal import Journal
from actors.order.new_order import NewOrder, body_of, check_new_order
from actors.order.queries import OrderHistories
from actors.peers import Peers
from actors.runtime.database_faults import damaged_databases, words_of
from actors.runtime.live_settings import LiveSettings
from actors.runtime.logs import ORDER_ID
from actors.runtime.message_codec import to_json
from actors.runtime.rpc_client import RpcClient
from actors.runtime.waits import NEVER_S, Waits
from actors.store.offer import Offer
from actors.store.queries import StoreQueries
from actors.store.validation import check_capacity, check_price, check_switch

DEFAULT_WAIT_S = 2.0
logger = logging.getLogger("siren")


class AsyncSiren:
    """Commands and queries of one installation, for an event loop.

    Commands return the order as it is once it is settled, or after `wait` seconds, of which more
    than 30 count as 30. They raise `Rejected`, `Invalid` (which names the field), `NotFound`, or
    `Unavailable` (repeat with the same `key`).
    """

    def __init__(self, installation: Installation, peers: Peers) -> None:
        self.installation, settings = installation, installation.settings
        self._peers = peers
        self.journal = Journal(settings.url("journal"))
        self.live = LiveSettings(settings, self.journal.database)
        self.histories = OrderHistories(self.journal.database, installation.secret)
        self.stores = StoreQueries(settings.url("stores"), installation.secret)
        hosts = range(installation.order_hosts)
        self._order_hosts = [RpcClient(self._reach(host)) for host in hosts]
        self._store = RpcClient(partial(peers.store, installation))
        self.waiting: Waiting = patiently
        self.commands = Waits(is_at_work=lambda: False)
        """The waits for answers to commands."""

    def _reach(self, host: int) -> Callable[[], Any]:
        return partial(self._peers.order_host, self.installation, self._peers, host)

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
        order_id = new_order_id(self.installation, order.customer_id, key)
        # The journal keeps the body's own hash with the order.
        placing_id = command_id(self.installation, order_id, key) if key else order_id
        try:
            check_new_order(order)
            command = self._placement(placing_id, order, await self.stores.offer(order.store_id))
        except (Rejected, Invalid):
            # A repeat is answered from what was placed, whatever is said of it today.
            known = await self.journal.placed_as(order_id) if key is not None else None
            if known is None:
                raise
        else:
            try:
                return await self._ask(order_id, command, wait)
            except AlreadyPlaced as before:  # a repeat comes with an id of its own
                known = before.order_id
        repeat = cmd.RepeatPlacement(placing_id, self._body_hash(order))
        return await self._ask(known, repeat, wait)

    def _placement(self, placing_id: str, order: NewOrder, offer: Offer) -> cmd.PlaceOrder:
        within_s = self.live.now.payment_deadline_s
        return cmd.PlaceOrder(
            id=placing_id,
            customer_id=order.customer_id,
            store_id=order.store_id,
            lines=offer.priced(order.items),
            currency=offer.currency,
            body_hash=self._body_hash(order),
            payment_due=datetime.now(UTC) + timedelta(seconds=within_s),
            pay=order.token is not None,
            private=PrivateData(order.name, order.tel, order.token),
            expected_total=order.expected_total,
            pay_within_s=within_s,
        )

    def _body_hash(self, order: NewOrder) -> str:
        return self.installation.digest(body_of(order))

    async def pay(
        self, order_id: str, token: str, key: str | None = None, wait: float = DEFAULT_WAIT_S
    ) -> OrderReply:
        """Charge the order's total; `attempt` in the reply says how it ended.

        Raises `Rejected` with code `store_closed`, `sold_out` or `store_full` before anything is
        charged, where the store is known not to make the order.
        """
        check_order_id(order_id)
        refusal = await self._refusal(order_id)
        command_id = self._id(order_id, key, "pay", token)
        return await self.send(order_id, cmd.PayOrder(command_id, token, refusal), wait)

    async def cancel(
        self,
        order_id: str,
        reason: str = "customer_request",
        key: str | None = None,
        wait: float = DEFAULT_WAIT_S,
        *,
        by: str = "customer",
    ) -> OrderReply:
        """Cancel an order that nobody prepares yet, and undo what was done for it."""
        command_id = self._id(order_id, key, "cancel", reason)
        return await self.send(order_id, cmd.CancelOrder(command_id, reason, by), wait)

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
        return await self.send(order_id, cmd.EraseCustomer(self._id(order_id, None, "erase")), wait)

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
        check_order_id(order_id)
        history = await self.journal.load(order_id)
        with self.journal.database.faults.foldable:
            order = fold(history.events)
            body = None if order is None else to_json(detail(order, history.private))
        if body is None:
            raise NotFound("order_not_found", "There is no order with this id.")
        return body

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
                await (await asyncio.to_thread(self._reach(host))).ready.remote()
        except (RayError, SirenError, TimeoutError, ValueError) as error:
            # The cause is for operators: it may name hosts and files.
            cause = getattr(error, "cause", None) or error
            logger.warning("order-host:%d is not ready: %s", host, words_of(cause))
            return f"order-host:{host}"
        return None

    def _id(self, order_id: str, key: str | None, kind: str, *body: str) -> str:
        check_order_id(order_id)
        _check_key(key)
        said = map(str, body)  # whatever it is: `send` refuses what it may not be
        return command_id(self.installation, order_id, key or uuid.uuid4().hex, kind, *said)

    async def send(self, order_id: str, command: cmd.Command, wait: float) -> OrderReply:
        """Send a command to the order's mailbox and return the order after it.

        Raises `Invalid`, naming the field, before it is sent.
        """
        check_order_id(order_id)
        check(command)
        return await self._ask(order_id, command, wait)

    async def _ask(self, order_id: str, command: cmd.Command, wait: float) -> OrderReply:
        ORDER_ID.set(order_id)
        wait, began = bounded(wait), asyncio.get_running_loop().time()
        channel = self._order_hosts[host_of(order_id, self.installation.order_hosts)]
        request = OrderRequest(order_id, pack_command(command), min(wait, WORK_S))
        with self.commands.up_to(wait + ANSWER_MARGIN_S + NEVER_S):
            reply: OrderReply = await channel.ask(request, wait + ANSWER_MARGIN_S)
            if reply.settled:
                return reply
            later = await followed(channel, request, reply, began, began + wait, self.waiting)
            return msgspec.structs.replace(later, replayed=reply.replayed)

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
        self.live.stop()
        await self.journal.close()
        await self.stores.close()


def _check_key(key: str | None) -> None:
    if key is not None:
        check_visible_ascii(key, "/key", MAX_KEY)


def bounded(wait: float) -> float:
    """Return how long to wait: 30 seconds at most, as for those who come by HTTP."""
    if isinstance(wait, bool) or not isinstance(wait, (int, float)) or not wait >= 0:
        raise invalid("Must be a number of seconds, 0 or more", "/wait")
    return min(wait, MAX_WAIT_S)
