"""After a restore nobody pays twice: what the provider took for lost orders is given back."""

import asyncio
import shutil
from pathlib import Path

import msgspec

from actors.payment.provider import ChargeStatus, SimulatedProvider
from actors.settings import Settings
from cluster.audit import verify as audit
from cluster.backup.lost_charges import find_lost_charges
from tests.support.backups import backup, order_of, placed, quiet, restored
from tests.support.command import sentence, siren
from tests.support.in_process import in_process


async def audited(settings: Settings) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    await audit.verify(settings, lambda each: found.add((each.order_id, each.code)), quiet)
    return found


async def status_of(settings: Settings, order_id: str) -> ChargeStatus:
    provider = SimulatedProvider(settings.url("provider"))
    charge = await provider.find(f"{order_id}:1")
    await provider.close()
    assert charge is not None
    return charge.status


async def lost_one(folder: Path) -> tuple[str, str]:
    """Restore a backup beside the provider's books, which went on; return the orders' ids.

    The first was placed before the backup, the second, by the key "second", after it.
    """
    old, new = Settings(data_dir=folder / "old"), Settings(data_dir=folder / "new")
    async with in_process(old) as siren:
        first = await placed(siren, key="first")
        await backup(old, folder / "backup")
        second = await placed(siren, key="second")
    (folder / "new").mkdir()
    for part in (folder / "old").glob("provider.db*"):
        shutil.copy(part, folder / "new")
    assert (await restored(folder / "backup", new)).provider_kept
    return first, second


async def test_the_provider_s_books_are_a_third_party_s_and_stay(tmp_path: Path) -> None:
    first, second = await lost_one(tmp_path)
    new = Settings(data_dir=tmp_path / "new")
    assert await status_of(new, first) is ChargeStatus.APPROVED
    assert await audited(new) == {(second, "charge_without_order")}
    assert [charge.order_id for charge in await find_lost_charges(new)] == [second]


def test_a_lost_order_s_money_goes_back_and_its_repeat_is_charged_once(tmp_path: Path) -> None:
    first, second = asyncio.run(lost_one(tmp_path))
    new = Settings(data_dir=tmp_path / "new")
    asked = siren("refund-lost", data=tmp_path / "new")
    assert asked.exit_code == 1
    assert "repeat it with --yes" in asked.stderr
    refunded = siren("refund-lost", "--yes", data=tmp_path / "new")
    assert refunded.exit_code == 0, refunded.output
    assert "refunded 5,000 KRW, of 1 charges" in refunded.stdout
    assert asyncio.run(status_of(new, first)) is ChargeStatus.APPROVED
    assert asyncio.run(status_of(new, second)) is ChargeStatus.CANCELED

    async def repeat() -> str:
        async with in_process(new) as siren:
            assert await placed(siren, key="first") == first
            return await placed(siren, key="second")

    again = asyncio.run(repeat())
    assert again[-24:] == second[-24:]
    assert asyncio.run(status_of(new, again)) is ChargeStatus.APPROVED
    assert asyncio.run(audited(new)) == set()
    assert "knows the order of every charge" in siren("refund-lost", data=tmp_path / "new").stdout


async def test_a_charge_that_was_under_way_is_answered_as_before(tmp_path: Path) -> None:
    """The journal has the request, the provider the charge, and payment neither answer."""
    old, new = Settings(data_dir=tmp_path / "old"), Settings(data_dir=tmp_path / "new")
    slow = order_of(token="tok_slow_1500")
    async with in_process(old) as siren:
        reply = await siren.place(slow, "slow", wait=0)
        order_id = str(msgspec.json.decode(reply.detail)["order_id"])
        await backup(old, tmp_path / "backup")
        await siren.wait_for(order_id, "ACCEPTED")
    (tmp_path / "new").mkdir()
    for part in (tmp_path / "old").glob("provider.db*"):
        shutil.copy(part, tmp_path / "new")
    await restored(tmp_path / "backup", new)
    async with in_process(new) as siren:
        await siren.place(slow, "slow", wait=0)  # it is taken up again
        await siren.wait_for(order_id, "ACCEPTED")
    assert await audited(new) == set()


def test_nothing_is_refunded_where_the_journal_is_missing(tmp_path: Path) -> None:
    asyncio.run(lost_one(tmp_path))
    (tmp_path / "new" / "journal.db").unlink()
    assert "has `siren up` ever run" in sentence(
        siren("refund-lost", "--yes", data=tmp_path / "new")
    )
