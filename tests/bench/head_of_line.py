"""What slow payments do: to the fast ones beside them, and to the rate when all are slow."""

from dataclasses import dataclass

from cluster.headings import workloads
from cluster.headings.load import Workload
from tests.bench.measure import Figures, Processes, measure

CONNECTIONS = 64
MANY_CONNECTIONS = 256
SLOW_MS = 300


@dataclass(frozen=True)
class SlowPayments:
    """The fast payments' latencies beside slow ones and without; and the rate of only slow ones."""

    beside: Figures
    without: Figures
    all_slow: Figures

    @property
    def ratio(self) -> float:
        """How many times longer the fast ones' p99 is beside slow ones."""
        return self.beside.kinds[workloads.FAST].p99 / self.without.kinds[workloads.FAST].p99

    @property
    def limit(self) -> float:
        """How many orders a second there could be at most when all payments are slow."""
        return MANY_CONNECTIONS * 1000 / SLOW_MS


def measure_slow_payments(
    port: int, processes: Processes, *, seconds: float, rounds: int
) -> SlowPayments:
    """Measure all three on the same system, one after the other."""

    def figures(name: str, workload: Workload, connections: int) -> Figures:
        return measure(name, port, workload, connections, processes, seconds=seconds, rounds=rounds)

    beside = figures("1 in 40 slow", workloads.with_slow_payments, CONNECTIONS)
    # Connections that wait for a slow payment send nothing else. For the same load without slow
    # ones there are as many connections as fast payments were under way here.
    alike = max(1, round(beside.kinds[workloads.FAST].under_way))
    return SlowPayments(
        beside=beside,
        without=figures("none slow", workloads.without_slow_payments, alike),
        all_slow=figures("all 300 ms", workloads.every_payment_300_ms, MANY_CONNECTIONS),
    )
