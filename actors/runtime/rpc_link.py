"""What travels between a caller and an actor that answers it: the format, and its limits.

A message is its length, 4 bytes, most significant first, and so many bytes. The caller's first
message is the key that Ray gave it, the other side's first one the welcome; all others are lists of
frames in MessagePack, [[number, bytes], ...]: requests one way, their replies with the same number
the other way, in any order. An empty list is a sign of life. Whatever is longer than allowed, or no
such list, ends the connection: what has no reply yet is sent again on the next one.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import NamedTuple, cast

import msgspec

HEARTBEAT_S = 1.0
"""How often a callee that works on a request says that it lives."""
STANDSTILL_S = 5.0
"""A process that has stood still for so long (SIGSTOP, say) may have been replaced meanwhile, and
what it was asked may have been answered by another: after `SILENCE_S`, and no sooner."""
CONNECT_S = 5.0
"""How long a connection may take until the callee has welcomed the caller."""
FULL_BATCH = 256
"""Frames; what is repeated after a loss may be many."""
LARGEST_MESSAGE = 64 * 2**20
"""Bytes; a length above this is no message of ours."""
VANISHED_S = 4
"""A machine that has confirmed nothing for so long is gone, or the network to it is: Ray knows by
then, and starts what lived there elsewhere."""
LIVES = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, VANISHED_S - 1),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, VANISHED_S * 1000),  # of what was sent
)
KEY_BYTES = 32
HEADER = 4

Frame = tuple[int, bytes]
"""A request and its reply bear the same number, which the caller gives."""

encode_frames = msgspec.msgpack.Encoder().encode
decode_frames = msgspec.msgpack.Decoder(list[Frame]).decode
NO_FRAMES = encode_frames([])


class Endpoint(NamedTuple):
    """Where an actor listens, and the key that shows that Ray let the caller ask it."""

    host: str
    port: int
    key: bytes

    def __repr__(self) -> str:
        return f"Endpoint(host={self.host!r}, port={self.port})"  # the key opens it


class Link(asyncio.Protocol):
    """One end of a connection. Each message is bytes with their length in front.

    Where the peer does not read, frames wait here in their order. With `serves`, no more is read
    from it meanwhile: who takes no replies gets nothing done. A caller always reads, so that never
    both sides wait for each other.
    """

    def __init__(
        self,
        received: Callable[["Link", bytes], None],
        lost: Callable[["Link"], None],
        largest: int = LARGEST_MESSAGE,
        *,
        serves: bool = False,
    ) -> None:
        self.largest = largest
        self._serves = serves
        self._full = False
        self.welcomed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """True with the peer's first message, False where the connection is lost before."""
        self._received = received
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._incoming = bytearray()
        self._outgoing: list[Frame] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, as asyncio tells."""
        self._transport = cast(asyncio.Transport, transport)
        # A peer whose machine vanished says no goodbye. (One that was stopped has a kernel that
        # still answers.)
        end = transport.get_extra_info("socket")
        for level, option, value in LIVES:
            end.setsockopt(level, option, value)

    def data_received(self, data: bytes) -> None:
        """Hand each whole message on."""
        self._incoming += data
        while len(self._incoming) >= HEADER:
            end = HEADER + int.from_bytes(self._incoming[:HEADER])
            if end - HEADER > self.largest:
                self.abort()
                return
            if len(self._incoming) < end:
                return
            message = bytes(self._incoming[HEADER:end])
            del self._incoming[:end]
            self._welcome(known=True)
            self._received(self, message)

    def connection_lost(self, _error: Exception | None) -> None:
        """Tell that no more will come."""
        self._transport = None
        self._welcome(known=False)
        self._lost(self)

    def pause_writing(self) -> None:
        """Hold frames back: the peer does not read."""
        self._full = True
        if self._serves and self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Send what was held back."""
        self._full = False
        if self._serves and self._transport is not None:
            self._transport.resume_reading()
        self._flush()

    def _welcome(self, *, known: bool) -> None:
        if not self.welcomed.done():
            self.welcomed.set_result(known)

    def send(self, frame: Frame) -> None:
        """Send a frame, together with whatever else is sent in this turn of the event loop."""
        if not self._outgoing and not self._full:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing.append(frame)

    def write(self, message: bytes) -> None:
        """Send a message at once."""
        if self._transport is not None:
            self._transport.write(len(message).to_bytes(HEADER) + message)

    def abort(self) -> None:
        """Close the connection without waiting for anybody."""
        if self._transport is not None:
            self._transport.abort()

    def beat(self) -> None:
        """Say that this side lives, unless the peer has enough to read already."""
        if not self._full:
            self.write(NO_FRAMES)

    def _flush(self) -> None:
        while self._outgoing and not self._full:  # a write may fill the buffer
            frames, self._outgoing = self._outgoing[:FULL_BATCH], self._outgoing[FULL_BATCH:]
            self.write(encode_frames(frames))
