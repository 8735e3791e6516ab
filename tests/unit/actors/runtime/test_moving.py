"""Actors are moved to their places one by one, by one process, at the second look."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray.exceptions import GetTimeoutError

from actors.runtime import moving
from actors.runtime.moving import DEPLOY_LOCK, move
from actors.runtime.placement import home_of
from actors.runtime.replacing import Incarnation

MINE: Any = "mine"
NOBODY: frozenset[str] = frozenset()
HOMES = {name: home_of(name, ["a", "b"]) for name in ("payment", "store")}


class Actor(str):
    """A handle: its name, and where it lives."""

    __slots__ = ()
    describe = SimpleNamespace(remote=lambda: None)


class Cluster:
    """Workers a and b beside the head; `places` tells where actors live, by their names."""

    def __init__(self) -> None:
        self.workers = ["a", "b"]
        self.here = "a"
        self.places = {"payment": "head", "store": HOMES["store"]}
        self.starting = False
        self.installation = "mine"
        self.hangs = self.deploys = False
        self.moved: list[str] = []

    def get_actor(self, name: str, namespace: str) -> Actor:
        if name not in self.places and not (self.deploys and namespace == DEPLOY_LOCK):
            raise ValueError(name)
        return Actor(f"{name} on {self.places.get(name)}")

    def incarnation_of(self, actor: str) -> Incarnation:
        return Incarnation(actor.rpartition(" ")[2], 7, self.starting)

    def get(self, _description: object, timeout: float) -> dict[str, Any]:
        if self.hangs:
            raise GetTimeoutError(f"no answer within {timeout} s")
        return {"installation": self.installation}

    def kill(self, actor: str) -> None:
        name = actor.partition(" ")[0]
        self.moved.append(name)
        del self.places[name]

    def create(self, name: str) -> Callable[[], Any]:
        def created() -> Actor:
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
    monkeypatch.setattr(ray, "get", cluster.get)
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


def make_it_another_version_s(cluster: Cluster) -> None:
    cluster.installation = "another"


def let_it_hang(cluster: Cluster) -> None:
    cluster.hangs = True


def deploy(cluster: Cluster) -> None:
    cluster.deploys = True


@pytest.mark.parametrize("act", [make_it_another_version_s, let_it_hang, deploy])
def test_what_is_not_ours_to_move_stays(cluster: Cluster, act: Callable[[Cluster], None]) -> None:
    act(cluster)

    assert look(cluster, {"payment"}) == {"payment"}
    assert cluster.moved == []
