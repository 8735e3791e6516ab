"""The numbers of this process on Ray's metrics port, every few seconds, from a thread of its own.

Ray's agent of the node serves them, with or without the dashboard, and puts `ray_` before each
name. They are handed over as gauges, with their histograms' buckets: Ray's own histograms take one
observation at a time, 5 µs each, and its counters keep for ever what a dead process counted.
"""

import logging
import threading
import time

import ray
from prometheus_client.samples import Sample
from ray.util.metrics import Gauge

from actors.runtime.metrics import REGISTRY

PERIOD_S = 5.0
"""Ray passes on what was set since it did so last, every ten seconds unless told otherwise, and
forgets after twenty: so each number is set again, whether it has moved or not."""
CREATED = "_created"
"""When a number began: nobody asks, and each would be a series of its own."""

logger = logging.getLogger("siren")


class MetricsExport:
    """Hands over what there is. `process` is what it is called in the label of that name."""

    def __init__(self, process: str) -> None:
        self._process = process
        self._gauges: dict[str, Gauge] = {}

    def hand_over(self) -> int:
        """Set all numbers as they are now, and return how many there are."""
        count = 0
        for family in REGISTRY.collect():
            for sample in family.samples:
                if not sample.name.endswith(CREATED):
                    self._set(sample, family.documentation)
                    count += 1
        return count

    def for_ever(self) -> None:
        """Hand over again and again."""
        while True:
            time.sleep(PERIOD_S)
            try:
                self.hand_over()
            except Exception:  # whatever it is: nothing else may suffer from it
                logger.exception("the metrics cannot be handed over")

    def _set(self, sample: Sample, documentation: str) -> None:
        labels = {**sample.labels, "process": self._process}
        gauge = self._gauges.get(sample.name)
        if gauge is None:
            gauge = Gauge(sample.name, documentation, tag_keys=tuple(labels))
            self._gauges[sample.name] = gauge
        gauge.set(sample.value, labels)


def export_metrics(process: str) -> None:
    """Hand this process's numbers over for as long as it lives; nothing happens outside Ray."""
    if not ray.is_initialized():
        return
    threading.Thread(target=MetricsExport(process).for_ever, daemon=True).start()
