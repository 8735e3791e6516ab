"""Requests and replies between two actors, in batches, without head-of-line blocking.

One remote method, `exchange`, carries everything: a call brings the requests that gathered since
the last one and takes home whatever replies are ready. A slow request holds up nobody: its reply
rides in a later call. At most two calls of one channel are under way; a newer call releases the
older one, which waits for replies (long polling in both directions).
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec
from ray.exceptions import RayError
from tenacity import AsyncRetrying, RetryCallState, wait_random_exponential

from actors.codec import pack, unpack
from actors.domain.errors import SirenError, Unavailable

HOLD_S = 1.0
"""How long a call waits for replies before it goes home empty."""
SILENCE_S = 5.0
"""After this long without an answer a peer counts as hung: longer than HOLD_S by far."""
FORGET_S = 60.0
"""A caller that has not called for so long is dead: longer than any pause between its repeats."""
LARGEST_BATCH = 256
MAX_CALLS = 2

LOST = (RayError, TimeoutError, ValueError)
"""A call that may or may not have arrived: the actor died, hangs or is not there yet."""

logger = logging.getLogger("siren")
Frame = tuple[int, bytes]
Batch = tuple[str, list[Frame]]
"""Requests with their caller's id, or replies with the callee's incarnation, which changes when its
process does. Bytes on the wire: Ray takes 0.3 ms longer over a call with a tuple in it."""

encode_batch = msgspec.msgpack.Encoder().encode
decode_batch = msgspec.msgpack.Decoder(Batch).decode


class Outbox:
    """One caller's replies that wait for its next call."""

    __slots__ = ("called_at", "ready", "running", "turn", "waiter")

    def __init__(self) -> None:
        self.called_at = 0.0
        self.ready: list[Frame] = []
        self.running = 0
        self.turn = 0
        self.waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Release the call that waits, if one does."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class Exchange:
    """The callee's side. `handle` turns an unpacked request into a reply or raises `SirenError`."""

    def __init__(self, handle: Callable[[Any], Awaitable[object]]) -> None:
        self._handle = handle
        self._incarnation = uuid.uuid4().hex
        self._outboxes: dict[str, Outbox] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, call: bytes) -> bytes:
        """Start a batch of requests; return the caller's replies as soon as there is one."""
        caller, requests = decode_batch(call)
        box = self._outbox(caller)
        box.turn += 1
        turn = box.turn
        box.wake()
        for sequence, data in requests:
            box.running += 1
            task = asyncio.create_task(self._serve(box, sequence, data))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not box.ready:
            await self._hold(box)
        replies, box.ready = box.ready, []
        if not box.running and box.turn == turn:
            self._outboxes.pop(caller, None)  # an idle caller costs nothing
        return encode_batch((self._incarnation, replies))

    def _outbox(self, caller: str) -> Outbox:
        now = asyncio.get_running_loop().time()
        if caller not in self._outboxes:
            self._forget_the_dead(now)
            self._outboxes[caller] = Outbox()
        box = self._outboxes[caller]
        box.called_at = now
        return box

    def _forget_the_dead(self, now: float) -> None:
        """Drop the replies of callers that no longer call for them; a living one asks again."""
        for caller, box in list(self._outboxes.items()):
            if not box.running and now - box.called_at > FORGET_S:
                del self._outboxes[caller]

    async def _hold(self, box: Outbox) -> None:
        box.waiter = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            await asyncio.wait_for(box.waiter, HOLD_S)

    async def _serve(self, box: Outbox, sequence: int, data: bytes) -> None:
        try:
            reply = pack(await self._handle(unpack(data)))
        except SirenError as error:
            reply = pack(error)
        except Exception:
            logger.exception("a request failed unexpectedly")
            reply = pack(Unavailable("internal_error", "The service failed; ask again."))
        box.running -= 1
        box.ready.append((sequence, reply))
        box.wake()


class Channel:
    """The caller's side of `Exchange`, to one actor that may die and come back.

    `connect` returns the actor's handle and creates the actor if it is missing; it may block. A
    lost call is repeated with everything that has no reply yet, so whatever is asked must be
    idempotent.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._actor: Any = None
        self._incarnation: str | None = None
        self._caller = uuid.uuid4().hex
        self._sequence = 0
        self._unanswered: dict[int, tuple[bytes, asyncio.Future[bytes]]] = {}
        self._unsent: list[int] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._scheduled = False

    async def ask(self, request: object, timeout: float) -> Any:
        """Return the reply, or raise the `SirenError` that came instead of one.

        Raises `Unavailable` after `timeout` seconds: then the request may still be carried out.
        """
        loop = asyncio.get_running_loop()
        self._sequence += 1
        sequence = self._sequence
        future: asyncio.Future[bytes] = loop.create_future()
        self._unanswered[sequence] = (pack(request), future)
        self._unsent.append(sequence)
        self._schedule()
        expiry = loop.call_later(timeout, _expire, future)
        try:
            reply = unpack(await future)
        finally:
            expiry.cancel()
            self._unanswered.pop(sequence, None)
        if isinstance(reply, SirenError):
            raise reply
        return reply

    def _schedule(self) -> None:
        if not self._scheduled:  # whatever is asked until then travels together
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._call_if_needed)

    def _call_if_needed(self) -> None:
        self._scheduled = False
        idle = not self._calls and self._unanswered
        if idle or (self._unsent and len(self._calls) < MAX_CALLS):
            call = asyncio.create_task(self._call())
            self._calls.add(call)
            call.add_done_callback(self._done)

    def _done(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._schedule()

    async def _call(self) -> None:
        try:
            await self._exchange()  # the usual case does without tenacity's bookkeeping
        except Exception as error:  # noqa: BLE001 - if this gave up, nobody would repeat anything
            self._repeat_all(error)
            await AsyncRetrying(
                wait=wait_random_exponential(multiplier=0.05, max=2),
                before_sleep=lambda state: self._repeat_all(_error_of(state)),
            )(self._exchange)

    async def _exchange(self) -> None:
        # Those whose askers gave up meanwhile are not sent at all.
        waiting = [sequence for sequence in self._unsent if sequence in self._unanswered]
        sending, self._unsent = waiting[:LARGEST_BATCH], waiting[LARGEST_BATCH:]
        if not self._unanswered:
            return
        if self._unsent:
            self._schedule()
        frames = [(sequence, self._unanswered[sequence][0]) for sequence in sending]
        if self._actor is None:
            self._actor = await asyncio.to_thread(self._connect)
        call = self._actor.exchange.remote(encode_batch((self._caller, frames)))
        incarnation, replies = decode_batch(await asyncio.wait_for(call, SILENCE_S))
        if self._incarnation not in (None, incarnation):
            # It died between two calls, so that none was lost: it knows of these frames alone.
            self._unsent = [sequence for sequence in self._unanswered if sequence not in sending]
        self._incarnation = incarnation
        for sequence, data in replies:
            _, future = self._unanswered.get(sequence, (b"", None))
            if future is not None and not future.done():
                future.set_result(data)

    def _repeat_all(self, error: BaseException | None) -> None:
        """Look the actor up again, which died, hangs or is missing; repeat all that is open."""
        if not isinstance(error, LOST):
            logger.error("a call failed unexpectedly and is repeated", exc_info=error)
        self._actor = None
        self._incarnation = None  # whoever answers next has been told everything
        self._unsent = list(self._unanswered)


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _expire(future: asyncio.Future[bytes]) -> None:
    if not future.done():
        future.set_exception(Unavailable("no_reply", "The service did not answer in time."))
