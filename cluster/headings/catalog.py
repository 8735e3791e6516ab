"""The headings, in the order in which they are measured. One of your own: a line here."""

from cluster.headings import (
    autoscale,
    backups,
    circuit_breaker,
    correlation,
    deploys,
    gateway,
    live_settings,
    messaging,
    overload,
    persistent_volume,
    polyglot,
    saga,
    self_healing,
    view,
    watching,
)
from cluster.headings.record import Heading

HEADINGS: tuple[Heading, ...] = (
    gateway.HEADING,
    saga.HEADING,
    view.HEADING,
    correlation.HEADING,
    messaging.HEADING,
    persistent_volume.HEADING,
    polyglot.HEADING,
    circuit_breaker.HEADING,
    autoscale.HEADING,
    self_healing.HEADING,
    live_settings.HEADING,
    deploys.HEADING,
    backups.HEADING,
    overload.HEADING,
    watching.HEADING,
)
