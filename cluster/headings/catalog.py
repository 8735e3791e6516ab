"""The headings, in the order in which they are measured. One of your own: a line here."""

from cluster.headings import autoscale, backups, circuit_breaker, saga, self_healing, watching
from cluster.headings.record import Heading

HEADINGS: tuple[Heading, ...] = (
    saga.HEADING,
    circuit_breaker.HEADING,
    autoscale.HEADING,
    self_healing.HEADING,
    watching.HEADING,
    backups.HEADING,
)
