"""How one service reaches another without knowing it: handed down from where all is wired."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from actors.installation import Installation

ORDER_HOST = "order-host:"
"""How order hosts are named in Ray, their numbers behind it."""

Reach = Callable[[Installation], Any]
"""Returns an actor's handle, and creates the actor where it is missing. Blocks on Ray."""


@dataclass(frozen=True, slots=True)
class Peers:
    """The services of an installation. An order host also needs them all, and its own number."""

    payment: Reach
    store: Reach
    projection: Reach
    order_host: Callable[[Installation, "Peers", int], Any]

    def creations(self, installation: Installation) -> dict[str, Callable[[], Any]]:
        """Return what creates each actor of an installation, by their names in Ray."""
        return {
            "projection": partial(self.projection, installation),
            "payment": partial(self.payment, installation),
            "store": partial(self.store, installation),
            **{
                f"{ORDER_HOST}{host}": partial(self.order_host, installation, self, host)
                for host in range(installation.order_hosts)
            },
        }
