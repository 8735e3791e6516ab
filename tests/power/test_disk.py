"""What a disk may hold after a power cut: the model that the power-cut tests rely on."""

from random import Random

import pytest

from tests.support.power.disk import FATES, SECTOR, Call, Disk
from tests.support.power.recorder import DELETE, OPEN, SYNC, SYNC_WITH_NAMES, TRUNCATE, WRITE

OLD, NEW, LAST = (bytes([letter]) * SECTOR for letter in b"ONL")


def calls(*steps: tuple[int, int, bytes], name: str = "a.db") -> list[Call]:
    """Return calls that take from 10n to 10n + 5."""
    return [
        Call(kind, f"/data/{name}", offset, 10 * n, 10 * n + 5, content)
        for n, (kind, offset, content) in enumerate(steps, 1)
    ]


def outcomes(recorded: list[Call], moment: int, fate: str | None = None) -> set[bytes | None]:
    """Return what the file may be, by many tries."""
    disk = Disk(recorded, "/data")
    disk.go_to(moment)
    return {disk.after_cut(Random(seed), fate).get("a.db") for seed in range(300)}


SYNCED = ((OPEN, 0, b""), (WRITE, 0, OLD), (SYNC_WITH_NAMES, 0, b""))


@pytest.mark.parametrize("fate", [*FATES, None])
def test_what_was_synced_is_there(fate: str | None) -> None:
    assert outcomes(calls(*SYNCED), 100, fate) == {OLD}


def test_a_sync_counts_once_it_has_ended() -> None:
    assert outcomes(calls(*SYNCED), 34) > {OLD, b""}
    assert outcomes(calls(*SYNCED), 35) == {OLD}


def test_of_what_was_not_synced_each_sector_is_there_or_not() -> None:
    recorded = calls(*SYNCED, (WRITE, 0, NEW + NEW), (WRITE, SECTOR, LAST))
    found = outcomes(recorded, 100)
    assert {OLD, NEW + NEW, NEW + LAST, OLD + LAST, OLD + NEW, NEW} <= found
    sectors = {(each or b"")[:SECTOR] for each in found}
    assert sectors == {OLD, NEW}, "no sector is half written"


def test_a_write_in_whose_midst_the_power_fails_may_be_torn() -> None:
    recorded = calls(*SYNCED, (WRITE, 0, NEW + NEW))
    assert outcomes(recorded, 39) == {OLD}
    assert {OLD, NEW, NEW + NEW} <= outcomes(recorded, 42)


def test_a_sync_does_not_count_for_what_is_written_while_it_runs() -> None:
    first, opened, synced = calls(*SYNCED)[1], calls(*SYNCED)[0], calls(*SYNCED)[2]
    meanwhile = Call(WRITE, first.path, 0, 31, 34, NEW)
    assert outcomes([opened, first, meanwhile, synced], 100) == {OLD, NEW}


def test_a_file_whose_name_was_not_synced_may_be_gone() -> None:
    recorded = calls((OPEN, 0, b""), (WRITE, 0, OLD), (SYNC, 0, b""))
    assert outcomes(recorded, 100) == {OLD, None}


def test_a_file_whose_deletion_was_not_synced_may_be_back() -> None:
    assert outcomes(calls(*SYNCED, (DELETE, 0, b"")), 100) == {OLD, None}
    recorded = calls(*SYNCED, (DELETE, 0, b""), (OPEN, 0, b""), (SYNC_WITH_NAMES, 0, b""))
    assert outcomes(recorded, 100) == {b""}


def test_a_file_that_was_cut_short_may_have_its_old_length() -> None:
    recorded = calls(*SYNCED, (WRITE, SECTOR, NEW), (SYNC, 0, b""), (TRUNCATE, SECTOR, b""))
    assert outcomes(recorded, 100) >= {OLD, OLD + NEW}


def test_a_third_party_keeps_what_it_has() -> None:
    disk = Disk(calls((OPEN, 0, b""), (WRITE, 0, NEW), name="provider.db"), "/data")
    disk.go_to(100)
    assert disk.after_cut(Random(1), "lost") == {"provider.db": NEW}
