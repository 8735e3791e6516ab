"""What hangs, stopped (SIGSTOP) or in itself, neither answers nor dies: it is replaced."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest
import ray

from cluster.running.processes import title_of
from tests.support import hangs
from tests.support.outside import (
    accepted,
    assert_agreed,
    headers,
    new_order,
    place,
    reaches,
    take,
    view,
)
from tests.support.system import (
    ORDER_ACTOR,
    PAYMENT_ACTOR,
    PROJECTION_ACTOR,
    SERVE_CONTROLLER,
    SERVICES,
    STORE_ACTOR,
    System,
    eventually,
)

pytestmark = pytest.mark.timeout(400)
REPLACED_S = 90.0
LOCKED_S = 20.0
"""More than anything that hangs gets."""


@contextmanager
def frozen(system: System, titles: tuple[str, ...]) -> Iterator[None]:
    """Stop the processes of several titles."""
    with ExitStack() as stack:
        for title in titles:
            stack.enter_context(system.frozen(title))
        yield


@pytest.mark.parametrize("titles", [(ORDER_ACTOR,), (PAYMENT_ACTOR, STORE_ACTOR, PROJECTION_ACTOR)])
def test_stopped_services_are_replaced_and_orders_settle_once(
    system: System, titles: tuple[str, ...]
) -> None:
    accepted(system)  # everybody knows everybody
    orders = [(new_order(), uuid4().hex) for _ in range(4)]
    with frozen(system, titles):
        began = time.monotonic()
        for order, key in orders:
            take(system, order, key)
        ids = [place(system, order, key=key)["order_id"] for order, key in orders]
        for order_id in ids:
            reaches(system, order_id, "ACCEPTED", REPLACED_S)
        eventually(lambda: view(system, ids[-1]), "the view has it", REPLACED_S)
        print(f"\nsettled {time.monotonic() - began:.1f} s after the stop of {titles}")
    for order_id in ids:
        books = assert_agreed(system, order_id)
        assert (len(books.charges), len(books.tickets)) == (1, 1)


@pytest.mark.parametrize(
    ("service", "title"),
    [
        ("order-host:0", ORDER_ACTOR),
        ("payment", PAYMENT_ACTOR),
        ("store", STORE_ACTOR),
        ("projection", PROJECTION_ACTOR),
    ],
)
def test_a_service_whose_replacement_is_stopped_in_its_start_is_replaced_again(
    system: System, service: str, title: str
) -> None:
    accepted(system)
    starting = f"ray::{service}:{title.removeprefix('ray::')}.__init__"
    stopped: list[psutil.Process] = []

    def stop_its_start() -> bool:
        """Stop the process in which it starts; kill it where it was faster."""
        for process in system.processes():
            name = title_of(process)
            if name.startswith(starting):
                process.suspend()
                if title_of(process).startswith(starting):
                    stopped.append(process)
                    return True
            elif name.startswith(title):
                process.kill()
        return False

    eventually(stop_its_start, "it is stopped in its start", every=0.002)
    order_id = accepted(system)
    eventually(lambda: view(system, order_id), "the view has it", REPLACED_S)
    assert not stopped[0].is_running()
    books = assert_agreed(system, order_id)
    assert (len(books.charges), len(books.tickets)) == (1, 1)


@pytest.mark.parametrize("titles", [(ORDER_ACTOR,), (PAYMENT_ACTOR, STORE_ACTOR)])
def test_services_that_go_on_after_a_while_do_nothing_twice(
    system: System, titles: tuple[str, ...]
) -> None:
    """Whether they were replaced by then or not: what they had begun is done once."""
    order, key = new_order(), uuid4().hex
    with frozen(system, titles):
        system.http.post("/orders", json=order, headers=headers(key, "wait=1"))
    order_id = place(system, order, key=key)["order_id"]
    reaches(system, order_id, "ACCEPTED")
    books = assert_agreed(system, order_id)
    assert (len(books.charges), len(books.tickets)) == (1, 1)


@pytest.mark.parametrize(
    ("name", "hang"),
    [
        ("order-host:0", hangs.loop_stands_still),
        ("order-host:0", hangs.commits_never_return),
        ("order-host:0", hangs.commits_hang_in_their_thread),
        ("order-host:0", hangs.mailboxes_are_never_left),
        ("payment", hangs.loop_stands_still),
        ("payment", hangs.commits_never_return),
        ("store", hangs.commits_never_return),
        ("projection", hangs.loop_stands_still),
        ("projection", hangs.projector_stands_still),
        ("projection", hangs.projector_has_ended),
    ],
)
def test_a_service_that_hangs_in_itself_is_replaced_and_orders_settle_once(
    system: System, name: str, hang: Callable[[Any], None]
) -> None:
    accepted(system)
    order, key = new_order(), uuid4().hex
    with system.ray():
        before = hangs.plant(hang, ray.get_actor(name))
        began = time.monotonic()
        take(system, order, key)
        order_id = place(system, order, key=key)["order_id"]
        reaches(system, order_id, "ACCEPTED", REPLACED_S)
        print(f"\nsettled {time.monotonic() - began:.1f} s after {name} hung: {hang.__name__}")
        assert hangs.process_of(ray.get_actor(name)) != before
    books = assert_agreed(system, order_id)
    assert (len(books.charges), len(books.tickets)) == (1, 1)


@pytest.mark.parametrize("hang", [hangs.loop_stands_still, hangs.commands_never_return])
def test_a_replica_that_hangs_in_itself_is_replaced(
    system: System, hang: Callable[[Any], None]
) -> None:
    accepted(system)
    with system.ray():
        found = ray.util.list_named_actors(all_namespaces=True)
        names = sorted(each["name"] for each in found if each["namespace"] == "serve")
        replica = next(name for name in names if "siren#gateway" in name)
        pid = hangs.plant(hang, ray.get_actor(replica, "serve"))
    for _ in range(20):  # of which that replica gets some
        with suppress(httpx.HTTPError):
            system.http.post("/orders", json=new_order(), headers=headers(), timeout=0.5)
    eventually(lambda: not psutil.pid_exists(pid), "it is replaced", REPLACED_S)
    accepted(system)


def test_serve_s_controller_that_hangs_is_replaced(system: System) -> None:
    with system.ray():
        controller = ray.get_actor("SERVE_CONTROLLER_ACTOR", "serve")
        pid = hangs.plant(hangs.loop_stands_still, controller)
    eventually(lambda: not psutil.pid_exists(pid), "it is replaced", REPLACED_S)
    eventually(lambda: system.processes(SERVE_CONTROLLER), "the next one is there")
    accepted(system)


def test_nothing_is_replaced_that_only_waits_for_a_locked_database(system: System) -> None:
    accepted(system)
    before = {p.pid for title in SERVICES for p in system.processes(title)}
    order, key = new_order(), uuid4().hex
    with ExitStack() as locks:
        for service in ("journal", "payments", "stores", "readmodel"):
            path = system.data_dir / f"{service}.db"
            database = locks.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
            database.execute("BEGIN IMMEDIATE")
        deadline = time.monotonic() + LOCKED_S
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                system.http.post("/orders", json=order, headers=headers(key), timeout=2)
    take(system, order, key)
    reaches(system, place(system, order, key=key)["order_id"], "ACCEPTED")
    assert {p.pid for title in SERVICES for p in system.processes(title)} == before
