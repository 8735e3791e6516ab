"""An older copy of the journal in place of the newer one: seen, said, and what is lost named."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.order.journal import Journal
from actors.order.new_order import NewOrder
from actors.settings import Settings
from cluster.audit import verify as audit
from cluster.audit.records import Violation
from readmodel import lost_orders
from readmodel.lost_orders import find_lost_orders
from serve_app.backend import Backend
from tests.support.files import copy_database
from tests.support.in_process import in_process
from tests.support.waiting import until


async def order(siren: Backend) -> str:
    """Place an order that is paid and accepted."""
    wanted = NewOrder("c-17", "영욱", "010-1234-5678", "gangnam", (("latte", 1),), "tok_approve")
    detail: dict[str, Any] = msgspec.json.decode((await siren.place(wanted)).detail)
    assert detail["order_status"] == "ACCEPTED"
    return str(detail["order_id"])


@pytest.fixture(autouse=True)
def nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """An audit needs not wait for what is under way."""
    monkeypatch.setattr(audit, "PAUSE_S", 0)


async def audited(folder: Path) -> set[tuple[str, str]]:
    """Return what `siren verify` finds: whose it is, and its code."""
    found: list[Violation] = []
    totals = await audit.verify(Settings(data_dir=folder), found.append, lambda _done, _total: None)
    assert totals.violations == len(found)
    return {(violation.order_id, violation.code) for violation in found}


@asynccontextmanager
async def set_back(folder: Path, lost: list[str]) -> AsyncIterator[Backend]:
    """Run a system whose journal is as it was before two of its three orders, `lost`."""
    settings = Settings(data_dir=folder)
    async with in_process(settings) as siren:
        kept = await order(siren)
    copy_database(folder / "journal.db", folder / "copy")
    async with in_process(settings) as siren:
        lost += [await order(siren), await order(siren)]
        await siren.wait_for(lost[-1], "ACCEPTED")
        assert kept not in lost
    copy_database(folder / "copy", folder / "journal.db")
    async with in_process(settings) as siren:
        yield siren


async def test_new_orders_appear_in_the_view_although_they_reuse_positions(tmp_path: Path) -> None:
    lost: list[str] = []
    async with set_back(tmp_path, lost) as siren:
        for _ in range(3):
            placed = await order(siren)
            assert await siren.wait_for(placed, "ACCEPTED")

        async def gone() -> bool:
            return await siren.details.get(lost[0]) is None

        await until(gone)


async def test_money_and_tickets_without_an_order_are_named(tmp_path: Path) -> None:
    lost: list[str] = []
    async with set_back(tmp_path, lost) as siren:
        placed = await order(siren)
        await siren.wait_for(placed, "ACCEPTED")
        found = await find_lost_orders(siren.installation.settings, siren.journal)
        assert (found.paid, found.ticketed, found.behind) == (lost[::-1], lost[::-1], [])
        assert lost[0] in str(found)
    violations = await audited(tmp_path)
    for order_id in lost:
        assert (order_id, "payment_without_order") in violations
        assert (order_id, "ticket_without_order") in violations
    assert placed not in {order_id for order_id, _ in violations}


async def test_verify_says_that_the_journal_was_set_back_before_anything_is_started(
    tmp_path: Path,
) -> None:
    settings = Settings(data_dir=tmp_path)
    async with in_process(settings) as siren:
        await order(siren)
    copy_database(tmp_path / "journal.db", tmp_path / "copy")
    async with in_process(settings) as siren:
        await siren.wait_for(await order(siren), "ACCEPTED")
    copy_database(tmp_path / "copy", tmp_path / "journal.db")
    assert ("journal", "journal_set_back") in await audited(tmp_path)


async def test_a_ticket_that_is_ahead_of_its_order_is_named(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    async with in_process(settings) as siren:
        placed = await order(siren)
    copy_database(tmp_path / "journal.db", tmp_path / "copy")
    async with in_process(settings) as siren:
        await siren.start(placed)
    copy_database(tmp_path / "copy", tmp_path / "journal.db")
    journal = Journal(settings.url("journal"))
    found = await find_lost_orders(settings, journal)
    await journal.close()
    assert (found.paid, found.ticketed, found.behind) == ([], [], [placed])


async def test_a_long_history_is_not_read_to_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_orders, "PAGE", 1)
    monkeypatch.setattr(lost_orders, "LOOK_BACK", 2)
    async with in_process(Settings(data_dir=tmp_path)) as siren:
        for _ in range(4):
            await order(siren)
        looked_up: list[str] = []
        versions_of = siren.journal.versions_of

        async def counted(order_ids: Any) -> dict[str, int]:
            wanted = list(order_ids)
            looked_up.extend(wanted)
            return await versions_of(wanted)

        monkeypatch.setattr(siren.journal, "versions_of", counted)
        assert not await find_lost_orders(siren.installation.settings, siren.journal)
        assert len(looked_up) == 4  # two payments, and two tickets


async def test_a_service_that_has_no_tables_yet_has_lost_nothing(tmp_path: Path) -> None:
    """On a first start the projection may be there before payment and store."""
    settings = Settings(data_dir=tmp_path)
    journal = Journal(settings.url("journal"))
    await journal.create()
    try:
        assert not await find_lost_orders(settings, journal)
    finally:
        await journal.close()
