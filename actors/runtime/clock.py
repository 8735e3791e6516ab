"""The clock on the wall: for what people read. Durations are measured with a monotonic one."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the aware time of this machine's clock, which may be set forward and back."""
    return datetime.now(UTC)
