"""The side that answers. A reply leaves as soon as it is there: a slow one holds up nobody."""

import asyncio
import hmac
import logging
import os
import random
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec

from actors.contracts.errors import INTERNAL_ERROR, SirenError, Unavailable
from actors.contracts.messages import HealthReply, HealthRequest, Message
from actors.runtime import tracing
from actors.runtime.logs import ORDER_ID
from actors.runtime.message_codec import pack, unpack
from actors.runtime.rpc_link import (
    CONNECT_S,
    HEARTBEAT_S,
    KEY_BYTES,
    LARGEST_MESSAGE,
    NO_FRAMES,
    STANDSTILL_S,
    Endpoint,
    Link,
    decode_frames,
)
from actors.runtime.rpc_tls import server_context
from actors.runtime.waits import PATIENCE_S, Waits
from actors.settings import ANY_PORT

logger = logging.getLogger("siren")


class _Caller:
    """What the callee keeps of one connection."""

    __slots__ = ("beating", "link", "running")

    def __init__(self, link: Link) -> None:
        self.link = link
        self.running = 0
        self.beating = False


class RpcServer:
    """The callee's side. `handle` turns an unpacked request into a reply or raises `SirenError`.

    Listens on `host`, on one of `ports` that is free, once `endpoint` was asked for. `trouble`
    tells what does not go on behind it and should: what is answered to a `HealthRequest`.

    What has waited in its connections while the process stood still is not begun: it hangs up, and
    callers repeat what they still want.
    """

    def __init__(
        self,
        handle: Callable[[Any], Awaitable[Message]],
        host: str,
        ports: range = ANY_PORT,
        trouble: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._handle = handle
        self._trouble = trouble
        self._in_hand = 0
        self._answered_at = self._may_wait_until = 0.0
        self._awake_at = 0.0
        self._host = host
        self._ports = ports
        self._key = secrets.token_bytes(KEY_BYTES)
        self._listening: asyncio.Task[asyncio.Server] | None = None
        self._callers: dict[Link, _Caller] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def stalled(self, *waits: Waits) -> str | None:
        """Tell that requests are in hand and none is answered, while no wait for these is long."""
        since = max(self._answered_at, self._may_wait_until)
        seconds = time.monotonic() - since if self._in_hand else 0.0
        if seconds <= PATIENCE_S or any(wait.are_long for wait in waits):
            return None
        return f"no request has been answered for {seconds:.0f} s"

    async def endpoint(self) -> Endpoint:
        """Return where to connect to; raises `OSError` while no port is free."""
        if self._listening is None:
            self._listening = asyncio.ensure_future(self._listen())
        try:
            server = await asyncio.shield(self._listening)
        except OSError:
            self._listening = None  # no port free, say: the next caller tries again
            raise
        return Endpoint(self._host, server.sockets[0].getsockname()[1], self._key)

    async def _listen(self) -> asyncio.Server:
        # Others look for one in the same moment: each begins somewhere else.
        ports = random.sample(self._ports, len(self._ports))
        if not self._awake_at:
            self._awake_at = time.monotonic()
            self._stay_awake()
        listen = asyncio.get_running_loop().create_server
        for port in ports[:-1]:
            with suppress(OSError):
                return await listen(self._accept, self._host, port, ssl=server_context())
        return await listen(self._accept, self._host, ports[-1], ssl=server_context())

    def _accept(self) -> Link:
        link = Link(
            self._received, self._forget, largest=KEY_BYTES, serves=True
        )  # until it is known
        asyncio.get_running_loop().call_later(CONNECT_S, self._expect, link)
        return link

    def _expect(self, link: Link) -> None:
        if link not in self._callers:
            link.abort()

    def _forget(self, link: Link) -> None:
        self._callers.pop(link, None)

    def _stay_awake(self) -> None:
        self._has_stood_still()
        asyncio.get_running_loop().call_later(HEARTBEAT_S, self._stay_awake)

    def _has_stood_still(self) -> bool:
        """Hang up on everybody where nothing went on here for long: no look, and no request."""
        now, before = time.monotonic(), self._awake_at
        self._awake_at = now
        if now - before <= STANDSTILL_S:
            return False
        for link in list(self._callers):
            link.abort()
        return True

    def _received(self, link: Link, message: bytes) -> None:
        caller = self._callers.get(link)
        if self._has_stood_still():
            link.abort()
            return
        if caller is None:
            self._welcome(link, message)
            return
        try:
            frames = decode_frames(message)
        except msgspec.MsgspecError:
            link.abort()
            return
        for number, request in frames:
            caller.running += 1
            task = asyncio.create_task(self._serve(caller, number, request))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not caller.beating:
            caller.beating = True
            asyncio.get_running_loop().call_later(HEARTBEAT_S, self._beat, caller)

    def _welcome(self, link: Link, key: bytes) -> None:
        if not hmac.compare_digest(key, self._key):
            link.abort()
            return
        link.largest = LARGEST_MESSAGE
        self._callers[link] = _Caller(link)
        link.write(NO_FRAMES)

    def _beat(self, caller: _Caller) -> None:
        caller.beating = caller.running > 0 and caller.link in self._callers
        if caller.beating:
            caller.link.beat()
            asyncio.get_running_loop().call_later(HEARTBEAT_S, self._beat, caller)

    async def _serve(self, caller: _Caller, number: int, request: bytes) -> None:
        in_hand = False
        try:
            message = unpack(request)
            if isinstance(message, HealthRequest):
                reply = pack(HealthReply(os.getpid(), self._trouble()))
            else:
                in_hand = True
                self._begin(message)
                traced = message.trace is not None
                answer = self._traced(message) if traced else self._handle(message)
                reply = pack(await answer)
        except SirenError as error:
            reply = pack(error)
        except Exception:
            logger.exception("a request failed unexpectedly")
            reply = pack(Unavailable(INTERNAL_ERROR, "The service failed; ask again."))
        finally:
            if in_hand:
                self._in_hand -= 1
                self._answered_at = time.monotonic()
        caller.running -= 1
        caller.link.send((number, reply))

    def _begin(self, message: Any) -> None:
        ORDER_ID.set(getattr(message, "order_id", None))  # of this task, which ends with it
        wait = getattr(message, "wait", 0.0)
        if not self._in_hand or wait > 0:
            now = time.monotonic()
            if not self._in_hand:
                self._answered_at = now
            self._may_wait_until = max(self._may_wait_until, now + wait)
        self._in_hand += 1

    async def _traced(self, message: Any) -> Message:
        with tracing.span(type(message).__name__, ORDER_ID.get(), message.trace):
            return await self._handle(message)
