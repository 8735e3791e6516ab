"""The stream of an order's changes. What it sends is its response's body once it has ended."""

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from ray.serve._private import replica

from readmodel.queries import Watcher
from serve_app.backend import Backend
from serve_app.replica_leaving import when_it_leaves
from serve_app.routes.order_stream import Follower
from tests.support.http_contract import ORDER, UNPAID, placed


@pytest.fixture(scope="module")
def siren(shared_siren: Backend) -> Backend:
    return shared_siren


@pytest.fixture(scope="module")
def client(shared_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Nothing here leaves a trace that another test could see."""
    return shared_client


def events(response: httpx.Response) -> list[dict[str, str]]:
    """Return the events of a stream, each as its fields."""
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = filter(None, response.text.strip().split("\n\n"))
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]


async def test_an_order_is_followed_to_its_end(client: httpx.AsyncClient) -> None:
    order_id = await placed(client)

    async with asyncio.TaskGroup() as group:
        following = group.create_task(client.get(f"/orders/{order_id}/stream"))
        for button in ("start", "ready", "complete"):
            await client.post(f"/pickups/{order_id}/{button}")

    seen = events(await following)
    assert {event["event"] for event in seen} == {"order"}
    versions = [int(event["id"]) for event in seen]
    assert versions == sorted(set(versions))
    assert versions[-1] == 7
    last = await client.get(f"/order-details/{order_id}")
    assert seen[-1]["data"] == last.text
    assert last.json()["order_status"] == "PICKED_UP"


async def test_only_what_is_newer_than_the_last_event_is_sent(client: httpx.AsyncClient) -> None:
    order_id = await placed(client, UNPAID)
    await client.get(f"/order-details/{order_id}", params={"min_version": 1})

    async with asyncio.TaskGroup() as group:
        address = f"/orders/{order_id}/stream"
        following = group.create_task(client.get(address, headers={"Last-Event-ID": "1"}))
        await client.delete(f"/orders/{order_id}")

    assert [event["id"] for event in events(await following)] == ["2"]


@pytest.mark.parametrize("last_event_id", ["2", "99"])
async def test_whoever_has_seen_the_end_is_told_to_stop(
    client: httpx.AsyncClient, last_event_id: str
) -> None:
    order_id = await placed(client, UNPAID)
    await client.delete(f"/orders/{order_id}")
    await client.get(f"/order-details/{order_id}", params={"min_version": 2})

    seen = {"Last-Event-ID": last_event_id}
    response = await client.get(f"/orders/{order_id}/stream", headers=seen)

    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.parametrize("last_event_id", ["", "latest", "-1", "1" * 5000])
async def test_an_id_that_is_no_version_is_ignored(
    client: httpx.AsyncClient, last_event_id: str
) -> None:
    order_id = await placed(client, UNPAID)
    await client.delete(f"/orders/{order_id}")
    await client.get(f"/order-details/{order_id}", params={"min_version": 2})

    seen = {"Last-Event-ID": last_event_id}
    response = await client.get(f"/orders/{order_id}/stream", headers=seen)

    assert [event["id"] for event in events(response)] == ["2"]


async def test_an_order_that_the_view_does_not_have_yet_is_waited_for(
    siren: Backend, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await placed(client, ORDER)
    await client.delete(f"/orders/{order_id}")
    details = siren.details

    class Late:
        async def get(self, _order_id: str) -> None:
            return None

    monkeypatch.setattr(siren, "details", Late())
    response = await client.get(f"/orders/{order_id}/stream")
    monkeypatch.setattr(siren, "details", details)

    assert events(response)[-1]["event"] == "order"


@pytest.mark.parametrize("moved", [-3600.0, 0.0, 3600.0])
def test_a_stream_ends_with_its_token_whatever_the_clock_is_set_to(
    siren: Backend, monkeypatch: pytest.MonkeyPatch, moved: float
) -> None:
    wall = SimpleNamespace(time=lambda: 10_000.0, monotonic=lambda: 500.0)
    monkeypatch.setattr("serve_app.routes.order_stream.time", wall)
    follower = Follower(siren, "o", 0, expires_at=10_030.0, ends_at=530.0)
    assert follower.patience() == 30
    wall.monotonic = lambda: 531.0
    wall.time = lambda: 10_031.0 + moved
    assert follower.patience() <= 0


SERVE_S_REPLICA: Any = replica.Replica


class LeavingReplica(SERVE_S_REPLICA):  # type: ignore[misc]
    """Serve's replica, with nothing that it needs but to leave."""

    def __init__(self) -> None:
        self._direct_ingress_http_server = self.server = SimpleNamespace(should_exit=False)

    async def _drain_ongoing_requests(self, **_: object) -> None:
        """Return at once: there are none."""


async def test_the_streams_of_a_replica_that_leaves_end_and_go_on_at_another_one(
    siren: Backend, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = await placed(client)
    await client.get(f"/order-details/{order_id}", params={"min_version": 4})
    address = f"/orders/{order_id}/stream"
    monkeypatch.setattr(siren, "watcher", Watcher(siren.details))
    stop = "_stop_accepting_direct_ingress"
    monkeypatch.setattr(SERVE_S_REPLICA, stop, getattr(SERVE_S_REPLICA, stop))
    when_it_leaves(siren.watcher.release)

    async with asyncio.TaskGroup() as group:
        following = [group.create_task(client.get(address)) for _ in range(3)]
        while len(siren.watcher._watched.get(order_id, ())) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0)
        leaving = LeavingReplica()
        await leaving._drain_behind_haproxy(min_draining_period_s=0)

    assert leaving.server.should_exit
    versions = [[event["id"] for event in events(each.result())] for each in following]
    assert versions == [["4"]] * 3
    # Whoever still reaches it hears what is new, and nobody waits there.
    assert [event["id"] for event in events(await client.get(address))] == ["4"]
    assert events(await client.get(address, headers={"Last-Event-ID": "4"})) == []

    monkeypatch.setattr(siren, "watcher", Watcher(siren.details))
    async with asyncio.TaskGroup() as group:
        seen = {"Last-Event-ID": "4"}
        elsewhere = group.create_task(client.get(address, headers=seen))
        await client.delete(f"/orders/{order_id}")
    assert events(elsewhere.result())[-1]["id"] == "7"
