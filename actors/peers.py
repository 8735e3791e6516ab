"""How one service reaches another without knowing it: handed down from where all is wired."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from actors.installation import Installation

Reach = Callable[[Installation], Any]
"""Returns an actor's handle, and creates the actor where it is missing. Blocks on Ray."""


@dataclass(frozen=True, slots=True)
class Peers:
    """The services of an installation. An order host also needs them all, and its own number."""

    payment: Reach
    store: Reach
    projection: Reach
    order_host: Callable[[Installation, "Peers", int], Any]
