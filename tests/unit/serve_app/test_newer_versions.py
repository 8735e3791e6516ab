"""While a newer version writes events that this one does not know, nothing is answered wrongly."""

import httpx
import pytest

from actors.order.journal import Journal
from serve_app.backend import Backend
from tests.support.journals import append_event_of_a_newer_version
from tests.support.outside import new_order


@pytest.fixture
async def order_id(siren: Backend, client: httpx.AsyncClient) -> str:
    """An order whose last event is a newer version's."""
    placed = (await client.post("/orders", json=new_order())).json()
    journal = Journal(siren.installation.settings.url("journal"))
    await append_event_of_a_newer_version(journal, placed["order_id"], placed["version"] + 1)
    await journal.close()
    return str(placed["order_id"])


@pytest.mark.parametrize("address", ["/orders/{}", "/orders/{}/events"])
async def test_what_only_newer_code_can_read_is_referred_to_it(
    client: httpx.AsyncClient, order_id: str, address: str
) -> None:
    answer = await client.get(address.format(order_id))
    assert (answer.status_code, answer.json()["code"]) == (503, "unknown_event")
    assert "retry-after" in answer.headers


async def test_a_command_on_it_changes_nothing(
    siren: Backend, client: httpx.AsyncClient, order_id: str
) -> None:
    journal = Journal(siren.installation.settings.url("journal"))
    before = await journal.last_position()

    answer = await client.post(f"/orders/{order_id}/cancel")

    assert (answer.status_code, answer.json()["code"]) == (503, "unknown_event")
    assert await journal.last_position() == before
    await journal.close()


async def test_other_orders_go_on(client: httpx.AsyncClient, order_id: str) -> None:
    placed = await client.post("/orders", json=new_order())
    assert placed.json()["order_status"] == "ACCEPTED"
    assert placed.json()["order_id"] != order_id
