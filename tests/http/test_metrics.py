"""The metrics of a real system are where it says, on loopback, without Ray's dashboard."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.support.metric_names import exported
from tests.support.outside import place
from tests.support.system import System, eventually

WHERE_SOMETHING_FAILS = {"siren_step_retries_total"}


def served(address: str) -> dict[str, set[str]]:
    """Return the processes that serve each metric, by the names that Ray gives them."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(httpx.get(address, timeout=30).text):
        for sample in family.samples:
            if "process" in sample.labels:
                found.setdefault(sample.name, set()).add(sample.labels["process"])
    return found


def test_every_metric_is_served_at_the_address_that_status_names(system: System) -> None:
    place(system)
    (line,) = (line for line in system.siren("status").stdout.splitlines() if "/metrics" in line)
    address = line.split()[-1]
    assert address.startswith("http://127.0.0.1:")
    wanted = {f"ray_{name}" for name in exported() - WHERE_SOMETHING_FAILS}
    eventually(lambda: wanted <= served(address).keys(), "all metrics are served")
    processes = {"gateway", "order-host:0", "payment", "store", "projection"}
    eventually(
        lambda: processes <= served(address)["ray_siren_build_info"], "all processes are heard of"
    )
