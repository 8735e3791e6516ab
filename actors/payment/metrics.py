"""What the payment service shows of its circuits."""

from prometheus_client import Gauge

from actors.runtime.circuit import Circuit
from actors.runtime.metrics import REGISTRY

OPEN = Gauge(
    "siren_circuit_open",
    "1 while the payment provider is left alone, else 0.",
    ["circuit"],
    registry=REGISTRY,
)
FAILING = Gauge(
    "siren_circuit_orders_failing",
    "Orders whose last try failed, in the last five minutes.",
    ["circuit"],
    registry=REGISTRY,
)


def show(name: str, circuit: Circuit) -> None:
    """Show how a circuit stands now."""
    OPEN.labels(name).set(circuit.is_open)
    FAILING.labels(name).set(circuit.failing)
