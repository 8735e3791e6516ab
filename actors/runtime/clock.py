"""The clock on the wall: for what people read. Durations are measured with a monotonic one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def utc_now() -> datetime:
    """Return the aware time of this machine's clock, which may be set forward and back."""
    return datetime.now(UTC)


def to_micros(at: datetime) -> int:
    """Return whole microseconds since 1970 of an aware datetime."""
    return (at - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the aware UTC datetime of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=micros)
