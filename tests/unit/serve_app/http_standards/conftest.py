"""One system for a file, and what stands for the parameters of its paths."""

import httpx
import pytest
import pytest_asyncio

from tests.support.http_contract import placed


@pytest.fixture(scope="module")
def client(shared_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Nothing here leaves a trace that another test could see."""
    shared_client.headers["Accept-Encoding"] = "identity"
    return shared_client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ids(client: httpx.AsyncClient) -> dict[str, str]:
    """What stands for the parameters of paths: a finished order, and what belongs to it."""
    order_id = await placed(client)
    await client.delete(f"/orders/{order_id}")
    order = (await client.get(f"/orders/{order_id}")).json()
    version = {"min_version": order["version"]}
    assert (await client.get(f"/order-details/{order_id}", params=version)).json() == order
    return {
        "order_id": order_id,
        "payment_id": order["payment_id"],
        "store_id": "gangnam",
        "menu_id": "latte",
        "name": "style.css",  # the pages' and the documentation's
    }
