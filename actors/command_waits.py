"""How long a command is waited for, and whether whoever sent it is worked for meanwhile."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress

import msgspec

from actors.contracts.errors import SirenError
from actors.contracts.messages import OrderReply, OrderRequest
from actors.runtime.rpc_client import RpcClient

WORK_S = 0.5
"""How long an answer may take before whoever asked counts as one who merely waits."""
LATE_S = WORK_S + 0.1
"""An order host answers within `WORK_S` of having carried a command out. Who has to wait for longer
than this waits for the system itself, which has too much to do, and counts as being worked for
until that has changed: else there would be ever more of them."""
ANSWER_MARGIN_S = 10.0
"""How much longer than its `wait` a command may take before it counts as unavailable: a host that a
deploy replaces is away for 2 s, and for 8 or 9 on a machine with much else to do."""

Waiting = Callable[[], AbstractContextManager[bool]]
"""Entered while a command that was carried out waits to be settled; False: it may not wait."""


async def followed(
    channel: RpcClient,
    request: OrderRequest,
    reply: OrderReply,
    at: float,
    until: float,
    waiting: Waiting,
) -> OrderReply:
    """Wait for the rest of what was asked `at` a moment, and return the last reply to it.

    Sent again it causes nothing. What it did is done, whatever comes. `at` and `until` are times of
    the event loop.
    """
    loop = asyncio.get_running_loop()
    with suppress(SirenError):
        # Answered sooner, it is no use to wait: a payment is final, or is postponed.
        while not reply.settled and at + WORK_S <= loop.time() < until:
            is_late = loop.time() > at + LATE_S
            with patiently() if is_late else waiting() as may_wait:
                if not may_wait:
                    break
                at = loop.time()
                left = until - at
                wait = min(left, WORK_S) if is_late else left
                again = msgspec.structs.replace(request, wait=wait)
                reply = await channel.ask(again, left + ANSWER_MARGIN_S)
    return reply


def patiently() -> AbstractContextManager[bool]:
    """Let somebody wait who takes nobody's place."""
    return nullcontext(enter_result=True)
