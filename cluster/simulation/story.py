"""What is told of a schedule, for people to read; and the short names of its orders."""

from typing import Any

import msgspec

from actors.runtime.message_codec import unpack
from cluster.simulation.loop import SimulatedLoop


class Story:
    """The trace of one schedule. `lines` is None where none is wanted."""

    def __init__(self, loop: SimulatedLoop, *, wanted: bool) -> None:
        self.lines: list[str] | None = [] if wanted else None
        self._loop = loop
        self._names: dict[str, str] = {}

    def tell(self, words: str) -> None:
        """Write a line, with the time."""
        if self.lines is not None:
            self.lines.append(f"{self._loop.now:9.3f} s  {words}")

    def named(self, order_id: str) -> str:
        """Return a short name of an order, or of a charge of one."""
        order_id, _, attempt = order_id.partition(":")
        name = self._names.setdefault(order_id, f"order {len(self._names) + 1}")
        return f"{name}, attempt {attempt}" if attempt else name

    def described(self, data: bytes) -> str:
        """Return what a message says, in a few words."""
        message = unpack(data)
        if isinstance(message, Exception):
            return f"{type(message).__name__} {getattr(message, 'code', '')}"
        if hasattr(message, "command"):
            kind, _ = msgspec.msgpack.decode(message.command, type=tuple[str, Any])
            return f" {kind} of {self.named(message.order_id)}"
        if hasattr(message, "order_status"):
            return f"{message.order_status}, version {message.version}"
        if hasattr(message, "order_id"):
            return f" of {self.named(message.order_id)}"
        return str(getattr(message, "status", ""))
