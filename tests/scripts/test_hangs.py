"""What hangs without having stopped is found by its work, and replaced; orders settle once."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
import ray

from actors.runtime.ray_actors import NAMESPACE
from tests.support import hangs
from tests.support.outside import accepted, assert_agreed, new_order, place, reaches, take
from tests.support.system import System

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def joined(system: System) -> Iterator[System]:
    with system.ray():
        yield system


def test_a_commit_that_never_returns_a_projector_that_ended_and_a_loop_that_stands_still(
    joined: System,
) -> None:
    """At the same time: each is noticed by itself."""
    accepted(joined)
    hurt = {
        "order-host:0": hangs.commits_never_return,
        "projection": hangs.projector_has_ended,
        "store": hangs.loop_stands_still,
    }
    before = {
        name: hangs.plant(hang, ray.get_actor(name, NAMESPACE)) for name, hang in hurt.items()
    }
    order, key = new_order(), uuid4().hex
    take(joined, order, key)
    order_id = place(joined, order, key=key)["order_id"]
    reaches(joined, order_id, "ACCEPTED")
    books = assert_agreed(joined, order_id)
    assert (len(books.charges), len(books.tickets)) == (1, 1)
    after = {name: hangs.process_of(ray.get_actor(name, NAMESPACE)) for name in hurt}
    assert all(after[name] != before[name] for name in hurt)
