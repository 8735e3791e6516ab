"""Each request is measured by method, route and status, and by nothing of who it was about."""

import httpx
import pytest

from actors.runtime.metrics import REGISTRY

LABELS = ("http_request_method", "http_route", "http_response_status_code")


def measured() -> dict[tuple[str, ...], float]:
    (family,) = (f for f in REGISTRY.collect() if f.name == "http_server_request_duration_seconds")
    return {
        tuple(sample.labels[name] for name in LABELS): sample.value
        for sample in family.samples
        if sample.name.endswith("_count")
    }


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/stores/gangnam", ("GET", "/stores/{store_id}", "200")),
        ("GET", "/stores/nowhere", ("GET", "/stores/{store_id}", "404")),
        ("GET", "/no/such/page", ("GET", "-", "404")),
        ("POST", "/orders/x/cancel", ("POST", "/orders/{order_id}/cancel", "404")),
        ("INVENTED", "/stores/gangnam", ("_OTHER", "/stores/{store_id}", "501")),
    ],
)
async def test_a_request_counts_for_its_route_whatever_its_address(
    shared_client: httpx.AsyncClient, method: str, path: str, labels: tuple[str, ...]
) -> None:
    before = measured()
    await shared_client.request(method, path)
    after = measured()
    changed = {key for key in after if after[key] != before.get(key, 0)}
    assert changed == {labels}
