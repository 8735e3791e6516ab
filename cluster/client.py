"""For scripts: finds the running system, and gives its commands and queries.

    with Siren.connect() as siren:
        order = siren.place(NewOrder("c-17", "Nara", "010-1234-5678", "gangnam", (("latte", 1),)))

`connect` is the same for an event loop.
"""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Self, TypeVar

import msgspec
import ray
from ray.exceptions import RayError

from actors.contracts.errors import Unavailable
from actors.contracts.messages import OrderReply
from actors.installation import Installation
from actors.order.new_order import NewOrder
from actors.runtime.lock_file import default_address, named_address, same_address
from actors.runtime.message_codec import to_json
from actors.runtime.ray_actors import NAMESPACE, join
from cluster.peers import PEERS
from serve_app.backend import Backend

__all__ = ["NewOrder", "Siren", "connect", "find_installation"]

DESCRIBE_S = 5.0
Answer = TypeVar("Answer")
Detail = dict[str, Any]


async def connect(address: str | None = None) -> Backend:
    """Connect to one running system, as `Siren.connect` does; raises `Unavailable`."""
    siren = Backend(await asyncio.to_thread(find_installation, address), PEERS)
    siren.live.start()
    return siren


class Siren:
    """All of a system for scripts, blocking, with everything as dicts.

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
        self._siren = self._run(connect(address))

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


def find_installation(address: str | None = None) -> Installation:
    """Ask any living actor of Siren Order for its installation, joining its Ray if needed.

    `address` is the host:port of a cluster. Without one, it is the system that `SIREN_DATA_DIR` or
    `RAY_ADDRESS` names, else the one that this process has joined, else that of ./data; never
    whatever else runs on this machine. Raises `Unavailable` where that leaves a choice, where the
    process has joined another one, or where none of its actors answers.
    """
    address = address or named_address()
    if ray.is_initialized():
        joined = ray.get_runtime_context().gcs_address
        if address is not None and not same_address(address, joined):
            detail = f"this process has joined the Ray at {joined}, not the one at {address}"
            raise Unavailable("two_systems", detail)
    else:
        address = address or default_address()
        try:
            join(address)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise Unavailable("not_up", f"siren is not up: no Ray answers at {address}") from error
    for actor in ray.util.list_named_actors(all_namespaces=True):
        if actor["namespace"] != NAMESPACE:
            continue
        with suppress(RayError, ValueError, KeyError):
            handle: Any = ray.get_actor(actor["name"], NAMESPACE)
            facts = ray.get(handle.describe.remote(), timeout=DESCRIBE_S)
            installation: Installation = facts["installation"]
            return installation
    raise Unavailable("not_up", "siren is not up: start it with `siren up`")


def _decoded(body: bytes) -> Detail:
    decoded: Detail = msgspec.json.decode(body)
    return decoded


def _plain(rows: list[Detail]) -> list[Detail]:
    """Return rows as their JSON has them: no enumerations, times as texts."""
    plain: list[Detail] = msgspec.json.decode(to_json(rows))
    return plain
