"""Hangs planted in the processes of a running system, by what Ray offers for debugging.

Each function runs in the process of an actor, with the actor itself; nothing is stopped or ended.
"""

import asyncio
import os
import time
from typing import Any

import ray

from actors.client import AsyncSiren
from actors.order.mailbox import Mailbox
from tests.support.system import eventually

FOR_EVER_S = 3600.0


async def never(*_args: Any, **_named: Any) -> Any:
    """Be what is awaited and never returns."""
    await asyncio.Event().wait()


def loop_stands_still(_actor: Any) -> None:
    """Let the event loops of the process do something that does not end; other threads live on."""
    for loop in {task.get_loop() for task in list(asyncio.tasks._all_tasks)}:  # type: ignore[attr-defined]
        loop.call_soon_threadsafe(time.sleep, FOR_EVER_S)


def commits_never_return(actor: Any) -> None:
    """Let an order host's, the store's or payment's batches of changes never come back."""
    owner = actor._journal if hasattr(actor, "_journal") else actor._service
    for name in ("_appends", "_batches", "_ledger"):
        if hasattr(owner, name):
            batcher = getattr(owner, name)
            getattr(batcher, "_changes", batcher)._flush = never


def mailboxes_are_never_left(_actor: Any) -> None:
    """Let nobody out of an order's mailbox."""
    Mailbox.release = lambda _self: None  # type: ignore[method-assign, assignment]


def commits_hang_in_their_thread(actor: Any) -> None:
    """Let the thread that commits an order host's appends wait for something else."""

    async def aside(_work: Any) -> Any:
        await asyncio.to_thread(time.sleep, FOR_EVER_S)

    database = actor._journal.database
    type(database.pace).holds_others_up = property(lambda _self: True)
    database._inline_write.run_aside = aside


def projector_has_ended(actor: Any) -> None:
    """End what follows the journal, and leave the actor alive."""
    actor._loop.cancel()


def projector_stands_still(actor: Any) -> None:
    """Let the next fold never return."""
    actor._projection.catch_up = never


def commands_never_return(_replica: Any) -> None:
    """Let a replica's commands never come back; it answers everything else."""
    AsyncSiren._ask = never  # type: ignore[method-assign]


def plant(hang: Any, actor: Any) -> int:
    """Let an actor hang so; return its process as it was then."""
    pid = process_of(actor)
    ray.get(actor.__ray_call__.remote(hang), timeout=30)
    return pid


def process_of(actor: Any) -> int:
    """Return the process in which an actor lives now."""
    pid: int = eventually(lambda: ray.get(actor.__ray_call__.remote(_pid), timeout=30), "it lives")
    return pid


def _pid(_actor: Any) -> int:
    return os.getpid()
