"""Actors are moved to their places one by one, by one process, at the second look."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from actors.runtime import moving, ray_actors
from actors.runtime.moving import move
from actors.runtime.placement import home_of
from actors.runtime.replacing import Incarnation

MINE: Any = "mine"
NOBODY: frozenset[str] = frozenset()
HOMES = {name: home_of(name, ["a", "b"]) for name in ("payment", "store")}


class Cluster:
    """Workers a and b beside the head; `places` tells where actors live, by their names."""

    def __init__(self) -> None:
        self.workers = ["a", "b"]
        self.here = "a"
        self.places = {"payment": "head", "store": HOMES["store"]}
        self.starting = False
        self.installation = "mine"
        self.moved: list[str] = []

    def get_actor(self, name: str, _namespace: str) -> str:
        if name not in self.places:
            raise ValueError(name)
        return f"{name} on {self.places[name]}"

    def incarnation_of(self, actor: str) -> Incarnation:
        return Incarnation(actor.rpartition(" ")[2], 7, self.starting)

    def described(self, actor: str) -> dict[str, Any]:
        assert actor.partition(" ")[0] in self.places
        return {"installation": self.installation}

    def kill(self, actor: str) -> None:
        name = actor.partition(" ")[0]
        self.moved.append(name)
        del self.places[name]

    def create(self, name: str) -> Callable[[], Any]:
        def created() -> str:
            self.places.setdefault(name, home_of(name, self.workers))
            return self.get_actor(name, "")

        return created


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster()
    context = SimpleNamespace(get_node_id=lambda: cluster.here)
    monkeypatch.setattr(ray, "get_runtime_context", lambda: context)
    monkeypatch.setattr(ray, "get_actor", cluster.get_actor)
    monkeypatch.setattr(ray, "kill", cluster.kill)
    monkeypatch.setattr(moving, "workers", lambda: cluster.workers)
    monkeypatch.setattr(moving, "incarnation_of", cluster.incarnation_of)
    for module in (moving, ray_actors):
        monkeypatch.setattr(module, "described", cluster.described)
    return cluster


def look(cluster: Cluster, before: Any = NOBODY) -> Any:
    creations = {name: cluster.create(name) for name in ("payment", "store", "projection")}
    return move(creations, MINE, before)


def test_what_is_misplaced_at_two_looks_is_moved(cluster: Cluster) -> None:
    first = look(cluster)
    assert cluster.moved == []

    second = look(cluster, first)

    assert cluster.moved == ["payment"]
    assert cluster.places == {"payment": HOMES["payment"], "store": HOMES["store"]}
    assert second == look(cluster, second) == NOBODY


def test_one_is_moved_at_a_time(cluster: Cluster) -> None:
    cluster.places = {"payment": "head", "store": "head"}

    rest = look(cluster, look(cluster))
    assert cluster.moved == ["payment"]
    assert rest == {"store"}

    look(cluster, rest)
    assert cluster.moved == ["payment", "store"]


def test_one_that_lives_on_another_s_node_goes_home(cluster: Cluster) -> None:
    cluster.places = {name: "b" if home == "a" else "a" for name, home in HOMES.items()}

    look(cluster, look(cluster, look(cluster)))

    assert cluster.places == HOMES


def test_only_the_process_on_the_first_node_moves_actors(cluster: Cluster) -> None:
    cluster.here = "b"

    assert look(cluster, {"payment"}) == NOBODY
    assert cluster.moved == []


def test_without_other_nodes_the_head_has_them_all(cluster: Cluster) -> None:
    cluster.workers = []

    assert look(cluster, {"payment"}) == NOBODY
    assert cluster.moved == []


def test_what_is_being_started_is_left_alone(cluster: Cluster) -> None:
    cluster.starting = True

    assert look(cluster, {"payment"}) == NOBODY
    assert cluster.moved == []


def test_what_a_deploy_has_just_replaced_is_the_next_version_s_to_move(cluster: Cluster) -> None:
    cluster.installation = "another"

    assert look(cluster, {"payment"}) == {"payment"}
    assert cluster.moved == []
