"""What order hosts count."""

from collections.abc import Iterable, Sequence

from prometheus_client import Gauge

from actors.order.domain.events import StoredEvent
from actors.order.event_codec import EVENT_TAGS
from actors.runtime.counting import Counter, Histogram
from actors.runtime.metrics import REGISTRY

STEP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)

EVENTS = Counter("siren_order_events", "Events appended to the journal.", ["type"], REGISTRY)
ACTIVATIONS = Counter("siren_order_activations", "Orders taken into memory.", (), REGISTRY).labels()
PASSIVATIONS = Counter(
    "siren_order_passivations", "Orders let go from memory.", (), REGISTRY
).labels()
STEP_DURATION = Histogram(
    "siren_step_duration_seconds",
    "Each try of a step of the saga, until its outcome is on disk or it has failed.",
    ["step"],
    STEP_BUCKETS,
    REGISTRY,
)
STEP_RETRIES = Counter(
    "siren_step_retries",
    "Tries of a step that failed, and after which it is tried again, by the error's code.",
    ["step", "code"],
    REGISTRY,
)
LIVE = Gauge(
    "siren_orders_live", "Orders in memory by their status.", ["status"], registry=REGISTRY
)
MAILBOX_DEPTH = Gauge(
    "siren_mailbox_depth",
    "Commands in all mailboxes, those being carried out too.",
    registry=REGISTRY,
)
MAILBOX_DEEPEST = Gauge(
    "siren_mailbox_deepest", "Commands in the fullest mailbox.", registry=REGISTRY
)
OVERDUE = Gauge(
    "siren_orders_overdue",
    "Open orders that were due five seconds ago, whoever works on them.",
    registry=REGISTRY,
)
STUCK = Gauge(
    "siren_orders_stuck",
    "Orders of all hosts without due progress for a minute, or set aside; of the first host.",
    registry=REGISTRY,
)

_events = {kind: EVENTS.labels(tag) for kind, tag in EVENT_TAGS.items()}


def count_events(appended: Iterable[Sequence[StoredEvent]]) -> None:
    """Count events that are on disk."""
    for events in appended:
        for stored in events:
            _events[type(stored.event)].inc()
