"""An event loop in which time is a number, and in which processes can be killed and stopped.

No selector, no thread, no wall clock. Whatever is scheduled belongs to the incarnation that was
running when it was, as in an operating system; what belongs to a dead one never runs (so no
`finally` of it does, as with kill -9), and what belongs to a stopped one waits until it goes on.
"""

import asyncio
import gc
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from heapq import heappop, heappush
from itertools import count
from typing import Any

WORLD = "world"


class Machine:
    """A clock on a wall: how many seconds it is ahead of the true time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ahead_s = 0.0


class Incarnation:
    """One life of a process. `service` is what it runs.

    `held` is what waits while it is stopped, since `stopped_at`.
    """

    __slots__ = ("dead", "held", "machine", "number", "role", "service", "stopped_at")

    def __init__(self, role: str, number: int, machine: Machine) -> None:
        self.role = role
        self.number = number
        self.machine = machine
        self.dead = False
        self.held: list[Handle] | None = None
        self.stopped_at = 0.0
        self.service: Any = None

    def __str__(self) -> str:
        return self.role if self.number == 1 else f"{self.role} #{self.number}"


class Handle(list[Any]):
    """Something that will run, unless it is cancelled: owner, what is called, with what, context.

    A list, since hundreds are made for each schedule.
    """

    __slots__ = ()

    def cancel(self) -> None:
        """See that it never runs."""
        self[1] = None
        self[2] = ()

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self[1] is None


class _Future(asyncio.Future[Any]):
    """A future whose place in a set depends on when it was made, not on where in memory it is."""

    numbers = count()
    number: int | None = None

    def __hash__(self) -> int:
        if self.number is None:
            self.number = next(_Future.numbers)
        return self.number


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs one schedule after the other; `now` is in seconds since the schedule began.

    `failed` is told what nobody has caught.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.nobody = Incarnation("nobody", 1, Machine("nowhere"))
        self.nobody.dead = True
        self.current = self.nobody
        self.failed: Callable[[dict[str, Any]], None] = lambda _context: None
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, int, Handle]] = []
        self._number = 0
        # What a dead process leaves must not be collected while others run: coroutines that are
        # run their `finally` blocks then.
        self._tasks: list[asyncio.Task[Any]] = []

    # --- what asyncio asks of a loop ------------------------------------------------------------

    def time(self) -> float:
        """Return the time of this loop, which nobody sets."""
        return self.now

    def get_debug(self) -> bool:
        """Return False: nothing is measured."""
        return False

    def is_running(self) -> bool:
        """Return True: there is no other state."""
        return True

    def is_closed(self) -> bool:
        """Return False, as above."""
        return False

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return _Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Any = None
    ) -> asyncio.Task[Any]:
        """Start a coroutine in the incarnation that runs."""
        task = asyncio.Task(coro, loop=self, name=name or "", context=context)
        self._tasks.append(task)
        return task

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """Run something in the next turn."""
        owner = self.current
        handle = Handle((owner, callback, args, context))
        if not owner.dead:
            self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Handle:
        """Run something in `delay` seconds."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Handle:
        """Run something once the time is `when`."""
        owner = self.current
        handle = Handle((owner, callback, args, context))
        if not owner.dead:
            self._number += 1
            heappush(self._timers, (when, self._number, handle))
        return handle

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Pass on what nobody has caught; not that a dead process left work behind."""
        if "exception" in context and not self.current.dead:
            self.failed(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """See `call_exception_handler`."""
        self.call_exception_handler(context)

    # --- what the simulation asks of it -----------------------------------------------------------

    def at(
        self, when: float, owner: Incarnation, callback: Callable[..., object], *args: Any
    ) -> None:
        """Run something of an incarnation's once the time is `when`."""
        if not owner.dead:
            self._number += 1
            heappush(self._timers, (when, self._number, Handle((owner, callback, args, None))))

    def begin(self, owner: Incarnation, work: Coroutine[Any, Any, Any]) -> None:
        """Start a coroutine in an incarnation."""
        before, self.current = self.current, owner
        self.create_task(work)
        self.current = before

    def settle(self, owner: Incarnation, future: asyncio.Future[Any], result: Any) -> None:
        """Give a future of an incarnation's its result, unless nobody waits for it any more."""
        if not owner.dead and not future.done():
            before, self.current = self.current, owner
            future.set_result(result)
            self.current = before

    @contextmanager
    def within(self, owner: Incarnation) -> Iterator[None]:
        """Let whatever is scheduled in the block belong to an incarnation."""
        before, self.current = self.current, owner
        try:
            yield
        finally:
            self.current = before

    def go_on(self, owner: Incarnation) -> None:
        """Let a stopped incarnation run again: first what has waited."""
        held, owner.held = owner.held, None
        self._ready.extend(held or ())

    def run_ready(self) -> None:
        """Run until everybody waits for a later time."""
        ready = self._ready
        while ready:
            handle = ready.popleft()
            owner, call, args, context = handle
            if call is None or owner.dead:
                continue
            if owner.held is not None:
                owner.held.append(handle)
                continue
            self.current = owner
            if context is None:
                call(*args)
            else:
                context.run(call, *args)

    def advance(self) -> bool:
        """Go to the next moment for which something is scheduled; False where there is none."""
        timers, ready = self._timers, self._ready
        while timers:
            when, _, handle = heappop(timers)
            if handle[1] is None or handle[0].dead:
                continue
            self.now = max(self.now, when)
            ready.append(handle)
            while timers and timers[0][0] <= when:
                ready.append(heappop(timers)[2])
            return True
        return False

    def forget(self) -> None:
        """Let go of everything, and begin anew at 0."""
        self.current = self.nobody
        self._ready.clear()
        self._timers.clear()
        self._tasks.clear()
        self.now, self._number = 0.0, 0
        _Future.numbers = count()


@contextmanager
def running(loop: SimulatedLoop) -> Iterator[None]:
    """Let asyncio take this loop for the one that runs.

    Garbage is collected only where `tidy` says so, between schedules.
    """
    asyncio._set_running_loop(loop)  # noqa: SLF001 - what BaseEventLoop does
    was_enabled = gc.isenabled()
    gc.disable()
    every = asyncio.tasks._all_tasks  # type: ignore[attr-defined]  # noqa: SLF001
    every.add = {}.get  # nobody asks for all tasks; to note each costs as much as a message
    try:
        yield
    finally:
        loop.forget()
        del every.add
        asyncio._set_running_loop(None)  # noqa: SLF001
        if was_enabled:
            gc.enable()


def run_alone(loop: SimulatedLoop, owner: Incarnation, work: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that needs nobody else."""
    with loop.within(owner):
        task = loop.create_task(work)
    while not task.done():
        loop.run_ready()
        if not task.done() and not loop.advance():
            raise RuntimeError("it waits for nothing that will ever happen")
    return task.result()
