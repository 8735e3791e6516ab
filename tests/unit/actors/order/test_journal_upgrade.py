"""An older journal goes on working: its keys are known, its events hold nothing personal."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError

from actors.contracts.errors import Invalid, SirenError
from actors.contracts.messages import StoreChange
from actors.contracts.values import PaymentStatus, PrivateData
from actors.installation import Installation
from actors.order import journal_upgrade
from actors.order.domain import events as ev
from actors.order.domain.order import fold
from actors.order.ids import command_id, key_of, new_order_id, slot_of
from actors.order.journal import Due, Journal
from actors.order.journal_tables import events, meta
from actors.order.new_order import NewOrder, body_of
from actors.runtime.clock import to_micros
from actors.runtime.statements import Transaction
from actors.settings import Settings
from cluster.operations.forget import forget
from serve_app.backend import Backend
from tests.support.files import found
from tests.support.in_process import in_process
from tests.support.journals import opened
from tests.support.old_journal import SECRET, old_journal
from tests.support.orders import APPROVED, DUE, NOON, PLACED, REQUESTED, at

KEY, WORDS = "Nara-010-9999-1234", "Nara is ill, call 010-9999-1234"
PERSON = PrivateData("Nara", "010-9999-1234")
STARTED = ev.PickupStarted("A-001", NOON)
INSTALLATION = Installation(Settings(), bytes.fromhex(SECRET), 1)


def life(order_id: str, *facts: tuple[ev.Event, str]) -> tuple[ev.StoredEvent, ...]:
    """Return events in their envelopes, each with the key that caused it."""
    return tuple(
        ev.StoredEvent(order_id, version, event, at(version), key)
        for version, (event, key) in enumerate(facts, start=1)
    )


def id_of(number: int) -> str:
    return f"{number:035x}"


PAID = ((PLACED, "place"), (REQUESTED, KEY), (APPROVED, ""), (STARTED, ""))
CANCELED = (
    *PAID,
    (ev.OrderCanceled(WORDS, "customer"), f"{KEY}-2"),
    (ev.PickupCanceled(), ""),
    (ev.PaymentCanceled("pay-1"), ""),
)
REJECTED = (
    *PAID,
    (ev.PickupRejected(WORDS), f"{KEY}-3"),
    (ev.OrderCanceled(WORDS, "store"), f"{KEY}-3"),
    (ev.PaymentCanceled("pay-1"), ""),
)
EXPIRED = ((PLACED, "place"), (ev.OrderCanceled("payment_timeout", "system"), ""))


async def rows(journal: Journal) -> list[Any]:
    async with journal.database.read() as connection:
        return list(await connection.execute(select(events).order_by(events.c.position)))


@pytest.fixture
async def upgraded(database_url: str) -> AsyncIterator[Journal]:
    async with old_journal(database_url) as old:
        await old.add(*life(id_of(1), *PAID), private=PERSON)
        await old.add(*life(id_of(2), *CANCELED), private=PERSON)
        await old.add(*life(id_of(3), *REJECTED), private=PERSON)
        await old.add(*life(id_of(4), *EXPIRED), private=PERSON)
        await old.add(
            *life(id_of(5), *REJECTED, (ev.CustomerErased(), "erase")), private=PrivateData()
        )
    async with opened(database_url) as journal:
        yield journal


async def test_keys_stand_as_hashes_and_are_known_as_repeats(upgraded: Journal) -> None:
    everything = repr(await rows(upgraded))
    assert KEY not in everything
    order = fold((await upgraded.load(id_of(1))).events)
    assert order is not None
    paying = command_id(INSTALLATION, id_of(1), KEY, "pay", "tok_approve")
    assert paying.partition(":")[0] in dict(order.requests.items())
    assert order.attempt_status(paying) is PaymentStatus.APPROVED


async def test_what_people_wrote_moves_to_where_it_can_be_erased(upgraded: Journal) -> None:
    assert WORDS not in repr(await rows(upgraded))
    codes = {2: "customer_request", 3: "store_rejected"}
    for number, code in codes.items():
        history = await upgraded.load(id_of(number))
        order = fold(history.events)
        assert order is not None
        assert (order.cancel_reason, history.private.cancel_reason) == (code, WORDS)
        assert (history.private.name, history.private.tel) == (PERSON.name, PERSON.tel)
    expired = await upgraded.load(id_of(4))
    assert expired.events[-1].event == ev.OrderCanceled("payment_timeout", "system")
    assert expired.private.cancel_reason is None


async def test_what_was_written_about_a_forgotten_customer_is_forgotten(upgraded: Journal) -> None:
    """View and ticket have it too: they follow one erasure more."""
    history = await upgraded.load(id_of(5))
    assert history.private == PrivateData()
    erased = [s.version for s in history.events if isinstance(s.event, ev.CustomerErased)]
    assert erased == [8, 9]
    assert history.ticket_version == 9
    assert fold(history.events) is not None


async def test_a_damaged_event_does_not_stop_the_others(database_url: str) -> None:
    async with old_journal(database_url) as old:
        for number in (1, 2):
            erased = (*CANCELED, (ev.CustomerErased(), ""))
            await old.add(*life(id_of(number), *erased), private=PrivateData())
        damage = "UPDATE events SET data = :data WHERE order_id = :order AND type = :type"
        for order, kind in ((id_of(1), "OrderCanceled"), (id_of(2), "PaymentApproved")):
            where = {"data": '{"attempt"', "order": order, "type": kind}
            await old.connection.execute(text(damage), where)
        await old.add(*life(id_of(3), *CANCELED), private=PERSON)
    async with opened(database_url) as journal:
        assert (await journal.load(id_of(3))).private.cancel_reason == WORDS
        assert {row.schema_version for row in await rows(journal)} == {2}


async def test_upgrading_again_changes_nothing(database_url: str, upgraded: Journal) -> None:
    before = await rows(upgraded)
    async with opened(database_url) as again:
        assert await rows(again) == before


async def test_several_processes_upgrade_together_and_any_of_them_may_die(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_upgrade, "PART", 7)
    async with old_journal(database_url) as old:
        for number in range(40):
            await old.add(*life(id_of(number), *CANCELED), private=PERSON)

    class Killed(BaseException):
        pass

    whole, parts = journal_upgrade._Parts.next, 0

    def dying(self: Any, transaction: Transaction) -> int | None:
        nonlocal parts
        parts += 1
        if parts == 3:
            raise Killed
        return whole(self, transaction)

    with monkeypatch.context() as patched:
        patched.setattr(journal_upgrade._Parts, "next", dying)
        dead = Journal(database_url)
        with pytest.raises(Killed):
            await dead.create()
        await dead.close()

    reached: list[int] = []

    async def upgrade() -> None:
        journal = Journal(database_url)
        await journal.create(lambda done, _last: reached.append(done))
        await journal.close()

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, upgrade()) for _ in range(2)))
    assert sorted(reached) == sorted(set(reached))  # no part is done twice
    assert max(reached) == 280
    async with opened(database_url) as journal:
        for number in range(40):
            history = await journal.load(id_of(number))
            assert history.private.cancel_reason == WORDS
            hashes = [stored.command_id for stored in history.events]
            expected = ["place", KEY, "", "", f"{KEY}-2", "", ""]
            assert hashes == [command_id(INSTALLATION, id_of(number), key) for key in expected]


async def test_a_journal_that_is_half_upgraded_is_closed_to_older_code(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with old_journal(database_url) as old:
        await old.add(*life(id_of(1), *PAID), private=PERSON)

    def dies(*_: object) -> int | None:
        raise SirenError("killed", "in the middle")

    monkeypatch.setattr(journal_upgrade._Parts, "next", dies)
    half = Journal(database_url)
    with pytest.raises(SirenError, match="in the middle"):
        await half.create()
    async with half.database.read() as connection:
        version = select(meta.c.value).where(meta.c.key == "schema_version")
        assert await connection.scalar(version) == "3"  # which version 2 refuses to open
    await half.close()


OLDER_CODE_PLACES = """
INSERT INTO events (order_id, version, type, schema_version, data, at, command_id)
VALUES ('o', 1, 'OrderPlaced', 1, '{}', 0, 'key')
"""


async def is_refused_to_older_code(journal: Journal) -> None:
    if journal.database.is_sqlite:
        pytest.skip("there the folder's lock keeps it away")
    with pytest.raises(IntegrityError, match="events_have_hashed_keys"):
        async with journal.database.write() as connection:
            await connection.exec_driver_sql(OLDER_CODE_PLACES)


async def test_on_postgresql_older_code_that_still_runs_cannot_write(upgraded: Journal) -> None:
    await is_refused_to_older_code(upgraded)


async def test_a_new_journal_on_postgresql_refuses_older_code_too(database_url: str) -> None:
    async with opened(database_url) as journal:
        await is_refused_to_older_code(journal)


async def test_an_old_system_goes_on_where_it_was(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    unhurried = replace(PLACED, payment_due=DUE.replace(year=9000))
    declined = ev.PaymentDeclined(1, "pay-1")
    waiting = life(id_of(6), (unhurried, "place"), (REQUESTED, KEY), (declined, ""))
    async with old_journal(settings.url("journal")) as old:
        await old.add(*waiting, private=PERSON)
        await old.add(*life(id_of(2), *CANCELED), private=PERSON)
    async with in_process(settings) as siren:
        await _knows_its_repeats(siren, id_of(6))
        assert WORDS in (await siren.order(id_of(2))).decode()
        await siren.watcher.wait_beyond(id_of(2), 6, 10)
        assert await siren.detail(id_of(2)) == await siren.order(id_of(2))
        await forget(siren, PLACED.customer_id, lambda *_: None)
        assert found(tmp_path, KEY, WORDS, PERSON.name or "", PERSON.tel or "") == set()


async def test_an_order_of_an_older_journal_is_known_when_it_is_placed_again(
    tmp_path: Path,
) -> None:
    settings = Settings(data_dir=tmp_path)
    order = NewOrder(
        PLACED.customer_id, "Nara", "010-9999-1234", "gangnam", (("latte", 1),), "tok_approve"
    )
    order_id = new_order_id(INSTALLATION, order.customer_id, KEY)
    placed = replace(PLACED, body_hash=INSTALLATION.digest(body_of(order)))
    async with old_journal(settings.url("journal")) as old:
        await old.add(*life(order_id, (placed, KEY), *CANCELED[1:]), private=PERSON)
    async with in_process(settings) as siren:
        from_key = await siren.place(order, KEY)
        await siren.change_store(
            StoreChange("gangnam", open=False, set_capacity=False, capacity=None)
        )
        from_journal = await siren.place(order, KEY)
        with pytest.raises(Invalid, match="idempotency_mismatch"):
            await siren.place(replace(order, token="tok_decline"), KEY)
    for reply in (from_key, from_journal):
        assert (reply.replayed, reply.order_status) == (True, "CANCELED")
        assert order_id in reply.detail.decode()


async def _knows_its_repeats(siren: Backend, order_id: str) -> None:
    reply = await siren.pay(order_id, "tok_approve", KEY)
    assert (reply.replayed, reply.attempt) == (True, "DECLINED")
    with pytest.raises(Invalid, match="idempotency_mismatch"):
        await siren.cancel(order_id, key=KEY)


async def test_a_journal_of_version_1_gets_its_keys_and_slots_too(database_url: str) -> None:
    async with old_journal(database_url) as old:
        await old.add(*life(id_of(1), *PAID), private=PERSON, due_at=to_micros(DUE))
        for statement in (
            "CREATE INDEX open_orders_by_slot ON open_orders (slot)",
            "DELETE FROM order_keys",
            "UPDATE open_orders SET slot = -1",
            "UPDATE meta SET value = '1' WHERE key = 'schema_version'",
        ):
            await old.connection.execute(text(statement))
    async with opened(database_url) as journal:
        assert await journal.placed_as(f"{'c' * 11}{key_of(id_of(1))}") == id_of(1)
        assert await journal.open_orders([slot_of(id_of(1))]) == [Due(id_of(1), DUE)]
        assert KEY not in repr(await rows(journal))
        async with journal.database.read() as connection:
            indexes = await connection.run_sync(
                lambda sync: inspect(sync).get_indexes("open_orders")
            )
        assert indexes == []  # it had one by slot
