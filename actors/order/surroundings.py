"""What the live orders of a host work with."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors.order.deadlines import Deadlines
from actors.order.domain.order import Order
from actors.order.failures import Failures
from actors.order.journal import Journal
from actors.order.mailbox import Mailbox
from actors.order.step_runner import StepRunner
from actors.order.steps import Steps
from actors.runtime.clock import Clock

if TYPE_CHECKING:
    from actors.order.virtual_order import VirtualOrder


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Shared by all orders of a host.

    `spawn` runs a coroutine beside the mailbox. `wake_soon` has an order loaded, whatever becomes
    of its commands. `let_go` takes one out of memory unless it is busy. `held`: see `Mailbox`.
    """

    journal: Journal
    steps: Steps
    runner: StepRunner
    failures: Failures
    deadlines: Deadlines
    clock: Clock
    committed: Callable[[Order], None]
    spawn: Callable[[Coroutine[Any, Any, object]], None]
    wake_soon: Callable[[str], None]
    let_go: Callable[["VirtualOrder"], None]
    held: dict[Mailbox, float]
