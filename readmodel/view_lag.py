"""How far the view is behind the journal, for operators."""

from prometheus_client import Gauge
from sqlalchemy import select

from actors.order.journal import Journal
from actors.order.journal_tables import events
from actors.runtime.clock import to_micros, utc_now
from actors.runtime.metrics import REGISTRY

EVENTS = Gauge(
    "siren_view_lag_events", "Events of the journal that the view lacks.", registry=REGISTRY
)
SECONDS = Gauge(
    "siren_view_lag_seconds",
    "Age of the oldest event that the view lacks; 0 where it lacks none.",
    registry=REGISTRY,
)


async def measure_lag(journal: Journal, position: int) -> None:
    """Measure how far a view at `position` is behind; two look-ups by key, whatever the lag.

    Raises `Unavailable` where the journal cannot be read.
    """
    behind = max(0, await journal.last_position() - position)
    EVENTS.set(behind)
    if not behind:
        SECONDS.set(0)
        return
    e = events.c
    oldest = select(e.at).where(e.position > position).order_by(e.position).limit(1)
    async with journal.database.read() as connection:
        at = await connection.scalar(oldest)
    SECONDS.set(0 if at is None else max(0.0, (to_micros(utc_now()) - at) / 1e6))
