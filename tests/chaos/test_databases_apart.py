"""Journal and payments on PostgreSQL servers, stores and view on SQLite: each goes in turn."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx
import pytest

from tests.support.outside import ASYNC, Detail, headers, new_order, place, post, view
from tests.support.postgres import Server, server
from tests.support.system import (
    PAYMENT_ACTOR,
    PROJECTION_ACTOR,
    STORE_ACTOR,
    System,
    eventually,
)

pytestmark = pytest.mark.timeout(500)

CUSTOMERS = 6
HELD_S = 60
"""The first try after a server was silent comes late: a write waits for ten seconds."""
AT_REST = ("ACCEPTED", "CANCELED")


@dataclass
class Shop:
    """The system, its two servers, and all orders that were acknowledged."""

    system: System
    journal: Server
    payments: Server
    orders: set[str] = field(default_factory=set)

    def order(self, prefer: str = "wait=1") -> Detail:
        """Place an order, repeated until it is acknowledged."""
        detail = place(self.system, prefer=prefer)
        self.orders.add(detail["order_id"])
        return detail

    def accepted(self) -> str:
        """Place an order, and return its id once it is made."""
        order_id = str(self.order()["order_id"])
        eventually(partial(at_rest, self, order_id), "it is made", HELD_S)
        return order_id

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Let customers order meanwhile; every second one changes their mind at once."""

        def order_and_maybe_cancel(number: int) -> None:
            order_id = self.order(ASYNC)["order_id"]
            if number % 2:
                answer = post(self.system, f"/orders/{order_id}/cancel", prefer=ASYNC)
                assert answer.is_success, answer.text

        with ThreadPoolExecutor(CUSTOMERS) as customers:
            under_way = [customers.submit(order_and_maybe_cancel, n) for n in range(CUSTOMERS)]
            yield
            for customer in under_way:
                customer.result()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with ExitStack() as stack:
        journal, payments = stack.enter_context(server()), stack.enter_context(server())
        data = tmp_path_factory.mktemp("apart") / "data"
        system = System(data, journal_url=journal.url, payments_url=payments.url, breaker_reset_s=1)
        system.start()
        stack.callback(system.stop)
        yield Shop(system, journal, payments)


@pytest.fixture(autouse=True)
def books_are_right(shop: Shop) -> Iterator[None]:
    """Whatever a test did: in the end every acknowledged order is right in all the books."""
    shop.order()
    yield
    eventually(lambda: is_settled(shop), "nothing is under way, and the view knows all", 200)
    assert_invariants(shop)
    audit = shop.system.siren("verify")
    assert audit.returncode == 0, audit.stdout + audit.stderr


def is_settled(shop: Shop) -> bool:
    """Whether nothing is under way; whoever was refused may have an order, too."""
    (under_way,) = shop.journal.sql("SELECT count(*) FROM open_orders")
    (last,) = shop.journal.sql("SELECT max(position) FROM events")
    (reached,) = shop.system.sql("readmodel", "SELECT position FROM checkpoint")
    return bool(under_way[0] == 0 and last[0] == reached["position"])


def at_rest(shop: Shop, order_id: str) -> Detail | None:
    """Return an order that has ended, as both journal and view show it."""
    shown = view(shop.system, order_id)
    journal = shop.system.http.get(f"/orders/{order_id}").json()
    ended = shown is not None and shown["order_status"] in AT_REST and shown == journal
    return shown if ended else None


def assert_invariants(shop: Shop) -> None:
    """Read each service's own database past the system: nothing lost, nothing twice."""
    events = shop.journal.sql("SELECT order_id, version FROM events ORDER BY position")
    versions: dict[str, list[int]] = {}
    for order_id, version in events:
        versions.setdefault(order_id, []).append(version)
    assert versions.keys() >= shop.orders, "an acknowledged order is not in the journal"
    assert all(each == list(range(1, len(each) + 1)) for each in versions.values())

    live = Counter(
        key.rpartition(":")[0]
        for (key,) in shop.payments.sql("SELECT key FROM charges WHERE status = 'APPROVED'")
    )
    approved = shop.payments.sql("SELECT order_id FROM payments WHERE status = 'APPROVED'")
    tickets = shop.system.sql("stores", "SELECT order_id, status, store_id, number FROM tickets")
    shown = shop.system.sql("readmodel", "SELECT order_id, order_status, version FROM order_detail")
    accepted_ones = {row["order_id"] for row in shown if row["order_status"] == "ACCEPTED"}
    assert live == Counter(accepted_ones), "one live charge for each order that is made, no other"
    assert {row[0] for row in approved} == accepted_ones
    assert {t["order_id"] for t in tickets if t["status"] == "ACCEPTED"} == accepted_ones
    numbers = Counter((t["store_id"], t["number"]) for t in tickets if t["number"] is not None)
    assert max(numbers.values()) == 1, "a number was given twice"
    assert {row["order_id"]: row["version"] for row in shown} == {
        order_id: len(each) for order_id, each in versions.items()
    }


def test_each_service_s_tables_are_in_its_own_database(shop: Shop) -> None:
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    payments = {row[0] for row in shop.payments.sql(tables)}
    assert payments == {"payments", "charges", "charge_failures"}
    assert {row[0] for row in shop.journal.sql(tables)} == {
        "events",
        "meta",
        "open_orders",
        "order_keys",
        "order_private",
    }
    files = {path.name for path in shop.system.data_dir.glob("*.db")}
    assert files == {"stores.db", "readmodel.db"}
    told = eventually(lambda: told_by_status(shop), "status has asked all, on a busy machine", 120)
    assert "payments, provider" in told


def told_by_status(shop: Shop) -> str:
    """Return what `siren status` says, "" where not all answered in time."""
    status = shop.system.siren("status")
    return "" if status.returncode else status.stdout


def test_orders_are_taken_in_while_payment_s_server_is_dead(shop: Shop) -> None:
    readable = shop.accepted()
    with shop.payments.away():
        waiting = [shop.order() for _ in range(3)]
        assert {order["payment_status"] for order in waiting} == {"PENDING"}
        assert shop.system.http.get("/readyz").status_code == 200
        assert shop.system.http.get(f"/order-details/{readable}").status_code == 200
        assert shop.system.http.get("/payments").status_code == 503
        with shop.busy():
            pass
    for order in waiting:
        paid = eventually(partial(at_rest, shop, order["order_id"]), "it is paid", HELD_S)
        assert paid["payment_status"] == "APPROVED"


def test_a_silent_payment_server_holds_up_nothing_but_payments(shop: Shop) -> None:
    with shop.payments.frozen():
        waiting = shop.order()
        assert waiting["payment_status"] == "PENDING"
        assert shop.system.http.get("/readyz").status_code == 200
    eventually(lambda: at_rest(shop, waiting["order_id"]), "it is paid", HELD_S)


@pytest.mark.parametrize("way", ["away", "frozen"])
def test_details_are_readable_while_the_journal_s_server_is_gone(shop: Shop, way: str) -> None:
    readable = shop.accepted()
    paths = (f"/order-details/{readable}", "/order-details", "/stores", "/pickups", "/payments")
    with ThreadPoolExecutor(1) as customer:
        with getattr(shop.journal, way)():
            late = customer.submit(shop.order, ASYNC)
            for path in paths * 3:
                assert shop.system.http.get(path).status_code == 200, path
            impatient = headers(prefer="wait=1")
            refused = shop.system.http.post("/orders", json=new_order(), headers=impatient)
            assert refused.status_code == 503
            assert shop.system.http.get("/readyz").status_code == 503
        late.result()  # who asks again and again


@pytest.mark.parametrize("service", [PAYMENT_ACTOR, STORE_ACTOR, PROJECTION_ACTOR])
def test_each_service_s_process_may_die_as_well(shop: Shop, service: str) -> None:
    with shop.system.held_down(service) as killed, shop.busy():
        eventually(lambda: killed[service], "it is down")


def test_the_servers_die_one_after_the_other_while_customers_order(shop: Shop) -> None:
    lost: tuple[tuple[Server, str], ...] = (
        (shop.journal, "/readyz"),
        (shop.payments, "/payments"),
        (shop.journal, "/readyz"),
    )
    for victim, shown_by in lost:
        with shop.busy(), victim.away():
            eventually(partial(is_refused, shop, shown_by), f"{shown_by} tells of it")


def is_refused(shop: Shop, path: str) -> bool:
    """Whether a path is answered with 503."""
    return shop.system.http.get(path).status_code == httpx.codes.SERVICE_UNAVAILABLE


def test_all_of_it_starts_again_though_payment_s_server_is_still_away(shop: Shop) -> None:
    with shop.payments.away():
        shop.system.kill_everything()
        shop.system.start()
        assert shop.order()["payment_status"] == "PENDING"
        assert "SIREN_PAYMENTS_URL" in shop.system.log_tail()
