"""`siren verify`: silent on what is right, and a word for everything that is wrong."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, text
from typer.testing import CliRunner, Result

from actors.contracts.messages import StoreChange
from actors.order.domain import commands as cmd
from actors.runtime.clock import utc_now
from actors.runtime.database import Database
from actors.settings import Service, Settings
from cluster.audit import record_reader, verify, whole_tables
from cluster.cli import app
from tests.support.services import InProcess

pytestmark = pytest.mark.sampled(2)

Orders = dict[str, str]

GHOST = "deadbeef" * 4
CARD = "tok_of_a_card"


async def every_kind_of_order(settings: Settings) -> Orders:
    """Let orders live every life there is; return their ids by name."""
    async with InProcess(settings) as system:
        place, do = system.place, system.do
        orders = {name: await place() for name in ("accepted", "canceled", "rejected", "erased")}
        orders["unpaid"] = await place(None)
        orders["declined"] = await place("tok_decline")
        orders["paid later"] = await place("tok_decline")
        await do(orders["paid later"], cmd.PayOrder, token="tok_flaky")
        orders["never paid"] = await place(None)
        for name in ("canceled", "never paid"):
            await do(orders[name], cmd.CancelOrder, reason="changed my mind")
        orders["canceled in flight"] = await place("tok_slow_50", wait=0)
        await do(orders["canceled in flight"], cmd.CancelOrder, reason="changed my mind")
        orders["delivered"] = await place()
        for move in (cmd.StartPreparation, cmd.MarkReady, cmd.CompletePickup):
            await do(orders["delivered"], move)
        await do(orders["rejected"], cmd.StartPreparation)
        await do(orders["rejected"], cmd.RejectOrder, reason="machine_broken")
        await do(orders["erased"], cmd.EraseCustomer)
        closed = StoreChange("jeju", open=False, set_capacity=False, capacity=None)
        await system.stores.handle(closed)
        orders["refused"] = await place(store_id="jeju")
        await system.settle()
    return orders


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Orders]:
    folder = tmp_path_factory.mktemp("template")
    return folder, asyncio.run(every_kind_of_order(Settings(data_dir=folder)))


class Installation:
    """Clean databases with every kind of order; `plant` breaks them by SQL."""

    def __init__(self, settings: Settings, orders: Orders) -> None:
        self.settings = settings
        self.orders = orders

    def plant(self, service: Service, statement: str, order: str = "", **values: Any) -> None:
        asyncio.run(self._plant(service, statement, {"order": self.orders.get(order), **values}))

    async def _plant(self, service: Service, statement: str, values: dict[str, Any]) -> None:
        database = Database(self.settings.url(service), MetaData())
        query = text(statement)
        names = query.compile().params
        async with database.write() as connection:
            done = await connection.execute(query, {name: values[name] for name in names})
            assert done.rowcount == 1
        await database.close()

    def verify(self) -> Result:
        data = ["--data", str(self.settings.data_dir)]
        return CliRunner().invoke(app, ["verify", *data])

    def finds(self, *expected: tuple[str, str]) -> bool:
        """Whether verify names exactly these (order, code) and ends with exit code 1."""
        result = self.verify()
        lines = [line.split() for line in result.stdout.splitlines() if "  " in line]
        found = {(order_id, code.rstrip(":")) for order_id, code, *_ in lines}
        wanted = {(self.orders.get(order, order), code) for order, code in expected}
        assert found == wanted, result.output
        return result.exit_code == 1


@pytest.fixture
def installation(
    template: tuple[Path, Orders], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    folder, orders = template
    monkeypatch.setattr(verify, "PAUSE_S", 0)  # nothing moves: no need to wait
    shutil.copytree(folder, tmp_path / "data")
    return Installation(Settings(data_dir=tmp_path / "data"), orders)


def test_what_the_services_wrote_is_right(installation: Installation) -> None:
    result = installation.verify()
    assert result.exit_code == 0, result.output
    assert "audited 11 orders" in result.stdout
    assert "no violation" in result.stdout


def test_pages_of_any_size_audit_every_order_once(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_reader, "PAGE", 1)
    monkeypatch.setattr(whole_tables, "PAGE", 1)
    monkeypatch.setattr(record_reader, "EVENTS_AN_ORDER", 2)
    installation.plant("journal", DELETE_EVENT, "accepted", version=1)
    assert "audited 11 orders" in installation.verify().stdout
    assert installation.finds(("accepted", "version_gap"), ("accepted", "events_removed"))


def test_verify_changes_nothing(installation: Installation) -> None:
    folder = installation.settings.data_dir
    before = {path.name: path.read_bytes() for path in folder.glob("*.db")}
    installation.verify()
    assert {path.name: path.read_bytes() for path in folder.glob("*.db")} == before


def test_a_backup_is_audited_like_any_other_folder(
    installation: Installation, tmp_path: Path
) -> None:
    backup = tmp_path / "a backup #1"  # a copy by VACUUM INTO has another journal mode
    backup.mkdir()
    for path in installation.settings.data_dir.glob("*.db"):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM INTO ?", [str(backup / path.name)])
    copied = Installation(Settings(data_dir=backup), installation.orders)
    result = copied.verify()
    assert result.exit_code == 0, result.output


def test_a_view_behind_the_journal_is_a_note(installation: Installation) -> None:
    behind = "UPDATE checkpoint SET position = position - 3"
    installation.plant("readmodel", behind)
    result = installation.verify()
    assert result.exit_code == 0, result.output
    assert "the view is 3 events behind" in result.stdout


DELETE_EVENT = "DELETE FROM events WHERE order_id = :order AND version = :version"
EVENT = "UPDATE events SET {} WHERE order_id = :order AND version = :version"


@pytest.mark.parametrize(
    ("statement", "values", "code"),
    [
        (EVENT.format("type = 'OrderVanished'"), {"version": 3}, "event_unknown"),
        (EVENT.format("data = '{'"), {"version": 3}, "event_unreadable"),
        (EVENT.format("schema_version = 99"), {"version": 3}, "event_unknown"),
        (
            EVENT.format("type = 'PickedUp', data = '{}'"),
            {"version": 1},
            "not_placed_first",
        ),
        (
            EVENT.format("type = 'PaymentDeclined', data = :data"),
            {"version": 2, "data": '{"attempt":1,"payment_id":"pay_planted"}'},
            "fold_error",
        ),
    ],
)
def test_a_broken_history_is_found(
    installation: Installation, statement: str, values: dict[str, Any], code: str
) -> None:
    installation.plant("journal", statement, "accepted", **values)
    assert installation.finds(("accepted", code), ("accepted", "seal_broken"))


@pytest.mark.parametrize("version", [1, 2])
def test_a_hole_in_a_history_is_found(installation: Installation, version: int) -> None:
    installation.plant("journal", DELETE_EVENT, "accepted", version=version)
    assert installation.finds(("accepted", "version_gap"), ("accepted", "events_removed"))


def test_an_event_after_the_end_is_found(installation: Installation) -> None:
    copy = (
        "INSERT INTO events (order_id, version, type, schema_version, data, at, command_id) "
        "SELECT order_id, version + 1, 'PickupReady', 2, '{}', at, '' FROM events "
        "WHERE order_id = :order AND type = 'PickedUp'"
    )
    installation.plant("journal", copy, "delivered")
    result = installation.verify()
    assert result.exit_code == 1
    assert f"{installation.orders['delivered']}  event_after_end" in result.stdout


# --- payments and charges -----------------------------------------------------------------------

CHARGE = (
    "INSERT INTO charges (key, charge_id, amount, currency, status, created_at) "
    "VALUES (:key, 'ch_planted', 12500, 'KRW', :status, 0)"
)
PAYMENT = "UPDATE payments SET {} WHERE order_id = :order"


def test_a_charge_without_an_order_is_found(installation: Installation) -> None:
    installation.plant("provider", CHARGE, key=f"{GHOST}:1", status="APPROVED")
    assert installation.finds((GHOST, "charge_without_order"))


def test_a_charge_without_even_a_key_of_ours_is_found(installation: Installation) -> None:
    installation.plant("provider", CHARGE, key="who-knows", status="APPROVED")
    assert installation.finds(("who-knows", "charge_without_order"))


def test_a_charge_that_is_not_live_needs_no_order(installation: Installation) -> None:
    installation.plant("provider", CHARGE, key=f"{GHOST}:1", status="CANCELED")
    assert installation.verify().exit_code == 0


def test_a_payment_without_an_order_is_found(installation: Installation) -> None:
    copy = (
        "INSERT INTO payments (order_id, payment_id, amount, currency, status, attempts, refused, "
        "created_at) SELECT :ghost, 'pay_planted', amount, currency, status, attempts, refused, "
        "created_at FROM payments WHERE order_id = :order"
    )
    installation.plant("payments", copy, "accepted", ghost=GHOST)
    assert installation.finds((GHOST, "payment_without_order"))


def test_a_second_live_charge_is_found(installation: Installation) -> None:
    revive = "UPDATE charges SET status = 'APPROVED' WHERE key = :key"
    installation.plant("provider", revive, key=f"{installation.orders['paid later']}:1")
    assert installation.finds(("paid later", "charged_twice"))


def test_a_charge_that_was_never_asked_for_is_found(installation: Installation) -> None:
    key = f"{installation.orders['accepted']}:2"
    installation.plant("provider", CHARGE, key=key, status="APPROVED")
    assert installation.finds(("accepted", "charged_twice"), ("accepted", "charge_without_request"))


@pytest.mark.parametrize(
    ("order", "change", "code"),
    [
        ("canceled", "status = 'APPROVED'", "charge_not_refunded"),
        ("declined", "status = 'APPROVED'", "charge_unrecorded"),
        ("accepted", "status = 'CANCELED'", "charge_missing"),
        ("accepted", "amount = 1", "charge_differs"),
    ],
)
def test_a_charge_that_is_not_as_its_order_says_is_found(
    installation: Installation, order: str, change: str, code: str
) -> None:
    statement = f"UPDATE charges SET {change} WHERE key = :key"
    installation.plant("provider", statement, key=f"{installation.orders[order]}:1")
    assert installation.finds((order, code))


@pytest.mark.parametrize(
    ("order", "change"),
    [
        ("declined", "status = 'PENDING'"),
        ("canceled", "status = 'APPROVED'"),
        ("accepted", "amount = 1"),
        ("accepted", "currency = 'USD'"),
        ("accepted", "payment_id = 'pay_other'"),
    ],
)
def test_a_payment_that_is_not_as_its_order_says_is_found(
    installation: Installation, order: str, change: str
) -> None:
    installation.plant("payments", PAYMENT.format(change), order)
    assert installation.finds((order, "payment_differs"))


def test_a_missing_payment_is_found(installation: Installation) -> None:
    installation.plant("payments", "DELETE FROM payments WHERE order_id = :order", "canceled")
    assert installation.finds(("canceled", "payment_missing"))


# --- tickets ------------------------------------------------------------------------------------

TICKET = (
    "INSERT INTO tickets (order_id, store_id, number, day, status, version, items, updated_at) "
    "VALUES (:to, 'gangnam', 'Z-999', '2001-01-01', 'ACCEPTED', 0, '[]', 0)"
)


def test_a_ticket_without_an_order_is_found(installation: Installation) -> None:
    installation.plant("stores", TICKET, to=GHOST)
    assert installation.finds((GHOST, "ticket_without_order"))


def test_a_ticket_of_an_unpaid_order_is_found(installation: Installation) -> None:
    installation.plant("stores", TICKET, to=installation.orders["unpaid"])
    assert installation.finds(("unpaid", "ticket_without_payment"), ("unpaid", "ticket_differs"))


def test_a_ticket_whose_payment_is_gone_is_found(installation: Installation) -> None:
    installation.plant("payments", "DELETE FROM payments WHERE order_id = :order", "accepted")
    assert installation.finds(
        ("accepted", "ticket_without_payment"), ("accepted", "payment_missing")
    )


def test_a_missing_ticket_is_found(installation: Installation) -> None:
    installation.plant("stores", "DELETE FROM tickets WHERE order_id = :order", "delivered")
    assert installation.finds(("delivered", "ticket_missing"))


@pytest.mark.parametrize("change", ["status = 'READY'", "number = 'B-001'", "store_id = 'jeju'"])
def test_a_ticket_that_is_not_as_its_order_says_is_found(
    installation: Installation, change: str
) -> None:
    installation.plant("stores", f"UPDATE tickets SET {change} WHERE order_id = :order", "accepted")
    assert installation.finds(("accepted", "ticket_differs"))


def test_a_pickup_number_given_twice_is_found(installation: Installation) -> None:
    twice = (
        "UPDATE tickets SET number = (SELECT number FROM tickets WHERE order_id = :other) "
        "WHERE order_id = :order"
    )
    installation.plant("stores", twice, "accepted", other=installation.orders["delivered"])
    assert installation.finds(
        ("accepted", "ticket_differs"),
        ("accepted", "ticket_number_twice"),
        ("delivered", "ticket_number_twice"),
    )


# --- open orders and private data ---------------------------------------------------------------


def test_an_order_that_nothing_would_wake_is_found(installation: Installation) -> None:
    installation.plant("journal", "DELETE FROM open_orders WHERE order_id = :order", "unpaid")
    assert installation.finds(("unpaid", "open_missing"))


@pytest.mark.parametrize("change", ["due_at = due_at + 1", "slot = 1000"])
def test_an_order_that_is_woken_wrongly_is_found(installation: Installation, change: str) -> None:
    installation.plant(
        "journal", f"UPDATE open_orders SET {change} WHERE order_id = :order", "unpaid"
    )
    assert installation.finds(("unpaid", "open_differs"))


def test_an_order_that_is_open_in_vain_is_found(installation: Installation) -> None:
    opened = "INSERT INTO open_orders (order_id, slot, due_at) VALUES (:order, 0, 0)"
    installation.plant("journal", opened, "delivered")
    assert installation.finds(("delivered", "open_needless"))


def test_a_card_token_kept_after_its_attempt_is_found_and_not_printed(
    installation: Installation,
) -> None:
    keep = "UPDATE order_private SET payment_token = :token WHERE order_id = :order"
    installation.plant("journal", keep, "declined", token=CARD)
    assert installation.finds(("declined", "token_kept"))
    assert CARD not in installation.verify().output


@pytest.mark.parametrize(
    ("service", "statement"),
    [
        ("journal", "UPDATE order_private SET name = '영욱' WHERE order_id = :order"),
        ("stores", "UPDATE tickets SET customer_name = '영욱' WHERE order_id = :order"),
        (
            "readmodel",
            "UPDATE order_detail SET body = replace(body, :old, :new) WHERE order_id = :order",
        ),
    ],
)
def test_a_name_that_outlives_the_customers_erasure_is_found_and_not_printed(
    installation: Installation, service: Service, statement: str
) -> None:
    body = {"old": '"name":null', "new": '"name":"영욱"'}
    installation.plant(service, statement, "erased", **body)
    assert installation.finds(("erased", "personal_data_kept"))
    assert "영욱" not in installation.verify().output


def test_an_order_whose_request_would_place_another_one_is_found(
    installation: Installation,
) -> None:
    installation.plant("journal", "DELETE FROM order_keys WHERE order_id = :order", "refused")
    assert installation.finds(("refused", "key_missing"))


def test_an_order_whose_key_has_placed_another_one_is_found(installation: Installation) -> None:
    installation.plant(
        "journal", "UPDATE order_keys SET order_id = 'another' WHERE order_id = :order", "refused"
    )
    assert installation.finds(("refused", "placed_twice"))


def test_missing_private_data_is_found(installation: Installation) -> None:
    installation.plant("journal", "DELETE FROM order_private WHERE order_id = :order", "refused")
    assert ("refused", "private_missing") in codes(installation)


# --- view ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "body = replace(body, 'ACCEPTED', 'READY')",
        "body = 'no json'",
        "order_status = 'READY'",
        "customer_id = 'c-18'",
        "seq = 1000000",
        "version = 99",
    ],
)
def test_a_view_row_that_differs_is_found(installation: Installation, change: str) -> None:
    statement = f"UPDATE order_detail SET {change} WHERE order_id = :order"
    installation.plant("readmodel", statement, "accepted")
    assert installation.finds(("accepted", "view_differs"))


def test_a_missing_view_row_is_found(installation: Installation) -> None:
    installation.plant("readmodel", "DELETE FROM order_detail WHERE order_id = :order", "accepted")
    assert installation.finds(("accepted", "view_missing"))


def test_a_view_row_of_an_unknown_order_is_found(installation: Installation) -> None:
    rename = "UPDATE order_detail SET order_id = :ghost WHERE order_id = :order"
    installation.plant("readmodel", rename, "accepted", ghost=GHOST)
    assert installation.finds((GHOST, "view_without_order"), ("accepted", "view_missing"))


def test_a_view_row_that_stays_behind_its_checkpoint_is_found(installation: Installation) -> None:
    installation.plant(
        "journal",
        "INSERT INTO events (order_id, version, type, schema_version, data, at, command_id) "
        "SELECT order_id, version + 1, 'CustomerErased', 2, '{}', at, '' FROM events "
        "WHERE order_id = :order AND type = 'PickedUp'",
        "delivered",
    )
    installation.plant("readmodel", "UPDATE checkpoint SET position = position + 1")
    assert ("delivered", "view_stale") in codes(installation)


# --- while the system runs ----------------------------------------------------------------------


async def test_orders_with_steps_outstanding_are_no_violation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "PAUSE_S", 0)
    settings = Settings(data_dir=tmp_path)
    found: list[object] = []
    async with InProcess(settings) as system:
        await system.place("tok_unavailable", wait=0)
        await system.place("tok_slow_600000", wait=0)
        paid = await system.place("tok_unavailable", wait=0)
        await system.do(paid, cmd.EraseCustomer, wait=0)
        await system.projection.catch_up()
        totals = await verify.verify(settings, found.append, lambda *_: None)
    assert found == []
    assert totals.orders == 3


async def test_what_is_put_right_before_the_second_look_is_not_reported(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    found: list[object] = []
    async with InProcess(settings) as system:
        order_id = await system.place()
        await system.settle()
        database = system.provider.database
        change = text("UPDATE charges SET status = :status WHERE key = :key")

        async def put(status: str) -> None:
            async with database.write() as connection:
                await connection.execute(change, {"status": status, "key": f"{order_id}:1"})

        await put("CANCELED")
        repairs: list[asyncio.Task[None]] = []

        def repair_once(_done: int, _total: int) -> None:  # called between the first two looks
            if not repairs:
                repairs.append(asyncio.create_task(put("APPROVED")))

        await verify.verify(settings, found.append, repair_once)
        await asyncio.gather(*repairs)
    assert found == []


# --- other installations ------------------------------------------------------------------------


def test_postgresql_is_audited_by_the_same_rules(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIREN_DATABASE_URL", postgres_url)
    monkeypatch.setattr(verify, "PAUSE_S", 0)
    settings = Settings(data_dir=tmp_path)
    installation = Installation(settings, asyncio.run(every_kind_of_order(settings)))
    clean = installation.verify()
    assert clean.exit_code == 0, clean.output
    installation.plant("provider", CHARGE, key=f"{GHOST}:1", status="APPROVED")
    installation.plant("stores", TICKET, to=installation.orders["unpaid"])
    installation.plant("journal", DELETE_EVENT, "accepted", version=2)
    installation.plant(
        "readmodel",
        "UPDATE order_detail SET order_status = 'READY' WHERE order_id = :order",
        "delivered",
    )
    assert installation.finds(
        (GHOST, "charge_without_order"),
        ("unpaid", "ticket_without_payment"),
        ("unpaid", "ticket_differs"),
        ("accepted", "version_gap"),
        ("accepted", "events_removed"),
        ("delivered", "view_differs"),
    )


def codes(installation: Installation) -> set[tuple[str, str]]:
    """Return what verify finds, as (order, code)."""
    names = {order_id: name for name, order_id in installation.orders.items()}
    lines = [line.split() for line in installation.verify().stdout.splitlines() if "  " in line]
    return {(names.get(line[0], line[0]), line[1].rstrip(":")) for line in lines}


# --- overdue ------------------------------------------------------------------------------------


@pytest.fixture
def in_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_reader, "utc_now", lambda: utc_now() + timedelta(hours=1))


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "is_held", lambda _folder: True)


@pytest.mark.usefixtures("in_an_hour", "running")
def test_open_orders_that_nobody_carries_on_are_found_and_it_says_what_to_do(
    installation: Installation,
) -> None:
    """Their payment deadlines passed long ago, and they were never cancelled."""
    assert installation.finds(("unpaid", "overdue"), ("declined", "overdue"))
    assert "siren up" in installation.verify().stdout


@pytest.mark.usefixtures("in_an_hour")
def test_while_nothing_runs_it_is_no_violation_that_orders_wait(
    installation: Installation,
) -> None:
    result = installation.verify()
    assert result.exit_code == 0, result.output
    assert "2 open orders are overdue: `siren up` carries them on" in result.stdout


@pytest.mark.usefixtures("running")
def test_an_order_that_waits_for_the_provider_is_a_note_until_its_deadline(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def place() -> str:
        async with InProcess(installation.settings) as system:
            order_id = await system.place("tok_unavailable", wait=0)
            while (await system.ledger.find(order_id)).attempts == 0:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
            await system.projection.catch_up()
            return order_id

    installation.orders = {**installation.orders, "dead card": asyncio.run(place())}
    monkeypatch.setattr(record_reader, "utc_now", lambda: utc_now() + timedelta(minutes=5))
    result = installation.verify()
    assert result.exit_code == 0, result.output
    assert "1 orders wait for the payment provider" in result.stdout

    monkeypatch.setattr(record_reader, "utc_now", lambda: utc_now() + timedelta(minutes=30))
    assert installation.finds(*((name, "overdue") for name in ("unpaid", "declined", "dead card")))


@pytest.mark.usefixtures("running")
def test_an_order_that_payment_was_never_asked_about_is_overdue(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def place() -> str:
        async with InProcess(installation.settings) as system:
            monkeypatch.setattr(
                system.host._around.steps, "perform", lambda *_: asyncio.Event().wait()
            )
            order_id = await system.place(wait=0)
            await system.projection.catch_up()
            return order_id

    installation.orders = {**installation.orders, "left alone": asyncio.run(place())}
    monkeypatch.setattr(record_reader, "utc_now", lambda: utc_now() + timedelta(minutes=5))
    assert installation.finds(("left alone", "overdue"))
