"""Work in a process of its own, so that it shares nothing with who measures."""

import asyncio
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from typing import Any


async def in_own_process(work: Callable[[], object]) -> Any:
    """Return what `work` does in a new process, which ends with this call, however that ends.

    Raises `EOFError` where it died.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(theirs, work), daemon=True)
    process.start()
    theirs.close()
    try:
        await _readable(ours)
        return ours.recv()
    finally:
        process.kill()
        process.join()
        ours.close()


def _tell(answer: Pipe, work: Callable[[], object]) -> None:
    answer.send(work())


async def _readable(pipe: Pipe) -> None:
    loop = asyncio.get_running_loop()
    there = asyncio.Event()
    loop.add_reader(pipe.fileno(), there.set)
    try:
        await there.wait()
    finally:
        loop.remove_reader(pipe.fileno())
