"""What has not changed is not sent again: a tag on whatever is read, and 304 for who has it."""

import httpx
import pytest

from actors.contracts.errors import Invalid
from serve_app.backend import Backend
from tests.support.http_contract import ORDER, placed

LISTS = ["/order-details", "/pickups?store_id=gangnam", "/payments", "/stores"]
LISTS += ["/stores/gangnam/menu"]


async def paths(client: httpx.AsyncClient, siren: Backend) -> tuple[str, list[str]]:
    """Place an order; return its id and every path that shows something."""
    order_id = await placed(client)
    await siren.wait_for(order_id, "ACCEPTED")
    (payment,) = (await client.get("/payments")).json()["items"]
    own = [f"/orders/{order_id}", f"/orders/{order_id}/events", f"/order-details/{order_id}"]
    return order_id, [*LISTS, *own, f"/payments/{payment['payment_id']}", "/stores/gangnam"]


async def test_whoever_has_the_newest_is_told_so_without_getting_it_again(
    client: httpx.AsyncClient, siren: Backend
) -> None:
    _, shown = await paths(client, siren)
    for path in shown:
        first = await client.get(path)
        tag = first.headers["etag"]
        assert first.status_code == 200
        assert tag.startswith('W/"')
        assert first.headers["cache-control"] == "private, no-cache"
        assert "Authorization" in first.headers["vary"]
        for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
            again = await client.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b""), path
            assert again.headers["etag"] == tag
            assert again.headers["cache-control"] == "private, no-cache"
            assert "Authorization" in again.headers["vary"]
        other = await client.get(path, headers={"If-None-Match": 'W/"other"'})
        assert (other.status_code, other.content) == (200, first.content)


async def test_what_has_changed_is_sent(client: httpx.AsyncClient, siren: Backend) -> None:
    order_id, shown = await paths(client, siren)
    moving = [path for path in shown if "payments" not in path and "menu" not in path]
    tags = {path: (await client.get(path)).headers["etag"] for path in moving}
    await client.post(f"/pickups/{order_id}/start")
    await client.post(f"/pickups/{order_id}/ready")  # no longer in the store's queue
    await siren.wait_for(order_id, "READY")
    for path, tag in tags.items():
        now = await client.get(path, headers={"If-None-Match": tag})
        assert now.status_code == 200, path
        assert now.headers["etag"] != tag


async def test_only_what_was_read_may_be_kept(client: httpx.AsyncClient) -> None:
    answers = [
        await client.post("/orders", json=ORDER),
        await client.get("/orders/00000000000000000000000000000000000"),
        await client.get("/session"),
        await client.get("/healthz"),
    ]
    for answer in answers:
        assert "etag" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"


async def test_a_board_on_which_nothing_happens_costs_next_to_nothing(
    client: httpx.AsyncClient,
) -> None:
    for _ in range(20):
        await placed(client)
    board = "/pickups?store_id=gangnam&limit=200"
    first = await client.get(board)
    assert len(first.content) > 5000
    looks = [
        await client.get(board, headers={"If-None-Match": first.headers["etag"]}) for _ in range(33)
    ]
    assert sum(len(look.content) for look in looks) == 0


# --- a customer's payments ------------------------------------------------------------------------


async def place_for(client: httpx.AsyncClient, customer_id: str, token: str) -> str:
    order = {
        **ORDER,
        "customer": {**ORDER["customer"], "id": customer_id},
        "payment": {"method": "card", "token": token},
    }
    return str((await client.post("/orders", json=order)).json()["order_id"])


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
async def test_a_customer_gets_all_their_payments_and_nobody_elses(
    client: httpx.AsyncClient, siren: Backend, limit: int
) -> None:
    mine, declined = [], []
    for number in range(6):
        token = "tok_decline" if number % 3 == 0 else "tok_approve"
        mine.append(await place_for(client, "c-1", token))
        if number % 3 == 0:
            declined.append(mine[-1])
        foreign = await place_for(client, "c-2", "tok_approve")
    await siren.wait_for(foreign, "ACCEPTED")

    async def pages(status: str | None) -> list[str]:
        found, cursor = [], None
        while True:
            page = await siren.payments_of("c-1", status, limit, cursor)
            assert len(page.items) <= limit
            found += [payment["order_id"] for payment in page.items]
            cursor = page.next_cursor
            if cursor is None:
                return found

    assert await pages(None) == mine[::-1]
    assert await pages("DECLINED") == declined[::-1]
    assert await pages("CANCELED") == []
    other = await siren.payments_of("c-2", None, 1, None)
    with pytest.raises(Invalid):
        await siren.payments_of("c-1", None, limit, other.next_cursor)
