"""The metrics that the system exports, and those that a text names."""

import re

from prometheus_client import Metric

import actors.order.metrics
import actors.payment.metrics
import actors.runtime.metrics
import readmodel.view_lag
import serve_app.middleware.observation
from actors.runtime.metrics import REGISTRY

DEFINED_IN = (
    actors.order.metrics,
    actors.payment.metrics,
    actors.runtime.metrics,
    readmodel.view_lag,
    serve_app.middleware.observation,
)
"""Imported, they stand in the registry of this process."""
SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
}
NAMED = re.compile(r"\b(?:siren|http_server)_[a-z_]+\b(?!:)")


def families() -> list[Metric]:
    """Return all that the system exports; labelled ones that nothing was counted for, too."""
    return list(REGISTRY.collect())


def exported() -> set[str]:
    """Return all names as they are served."""
    return {f"{family.name}{end}" for family in families() for end in SUFFIXES[family.type]}


def named(text: str) -> set[str]:
    """Return the metrics of ours that a text names."""
    return set(NAMED.findall(text))
