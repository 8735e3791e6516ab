"""What commits together with the events: the open order, private data, the card token."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from actors.contracts.errors import Conflict
from actors.contracts.values import PrivateData
from actors.order import journal_appends
from actors.order.ids import SLOTS, slot_of
from actors.order.journal import Due, Journal
from actors.order.journal_appends import Append
from tests.support.appends import appending, rows_everywhere, versions
from tests.support.orders import DUE, NOON, PRIVATE

EVERY_SLOT = range(SLOTS)


def open_append(order_id: str, *, after: int = 0) -> Append:
    return replace(appending(order_id, after=after), due_at=DUE)


async def test_an_open_order_is_found_by_its_slot_until_it_is_closed(journal: Journal) -> None:
    await journal.append(open_append("o"))
    assert await journal.open_orders([slot_of("o")]) == [Due("o", DUE)]
    elsewhere = [slot for slot in EVERY_SLOT if slot != slot_of("o")]
    assert await journal.open_orders(elsewhere) == []
    await journal.append(appending("o", after=1))
    assert await journal.open_orders(EVERY_SLOT) == []


async def test_open_orders_come_with_the_longest_due_first(journal: Journal) -> None:
    for minutes in (3, 1, 2):
        due = NOON + timedelta(minutes=minutes)
        await journal.append(Append(f"o{minutes}", 0, appending(f"o{minutes}").events, due))
    assert [due.order_id for due in await journal.open_orders(EVERY_SLOT)] == ["o1", "o2", "o3"]


async def test_the_last_append_of_a_batch_says_whether_the_order_is_open(journal: Journal) -> None:
    await asyncio.gather(
        journal.append(open_append("closed")),
        journal.append(appending("closed", after=1)),
        journal.append(appending("opened")),
        journal.append(open_append("opened", after=1)),
    )
    assert [due.order_id for due in await journal.open_orders(EVERY_SLOT)] == ["opened"]


async def test_an_append_without_events_moves_the_open_order_only(journal: Journal) -> None:
    await journal.append(open_append("o"))
    await journal.append(Append("o", 1, (), due_at=None))
    assert await journal.open_orders(EVERY_SLOT) == []
    assert await versions(journal, "o") == [1]


async def test_the_unconfirmed_ticket_update_is_loaded_with_the_order(journal: Journal) -> None:
    base = appending("o")
    await journal.append(Append("o", 0, base.events, DUE, ticket_version=1, private=PRIVATE))
    assert (await journal.load("o")).ticket_version == 1
    await journal.append(Append("o", 1, (), due_at=DUE, ticket_version=None))
    assert (await journal.load("o")).ticket_version is None


async def test_a_loser_moves_neither_the_open_order_nor_private_data(journal: Journal) -> None:
    await journal.append(Append("o", 0, appending("o").events, DUE, private=PRIVATE))
    with pytest.raises(Conflict):
        await journal.append(Append("o", 0, appending("o").events, None, token="", erase=True))
    assert await journal.open_orders(EVERY_SLOT) == [Due("o", DUE)]
    assert (await journal.load("o")).private == PRIVATE


async def test_nothing_of_a_failed_transaction_remains(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events, the open order and private data commit together, or none of them does."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    placing = Append("o", 0, appending("o").events, DUE, private=PRIVATE)
    with monkeypatch.context() as broken:
        broken.setattr(journal_appends, "_store_private", fail)
        with pytest.raises(ZeroDivisionError):
            await journal.append(placing)
    assert await rows_everywhere(journal) == [0, 0, 0, 0]
    await journal.append(placing)
    assert await rows_everywhere(journal) == [1, 1, 1, 1]


async def test_a_card_token_is_replaced_and_then_forgotten(journal: Journal) -> None:
    await journal.append(Append("o", 0, appending("o").events, DUE, private=PRIVATE))
    again = appending("o", after=1)
    await journal.append(Append("o", 1, again.events, DUE, token="tok_again"))
    assert (await journal.load("o")).private == PrivateData(PRIVATE.name, PRIVATE.tel, "tok_again")
    await journal.append(Append("o", 2, appending("o", after=2).events, None, token=""))
    assert (await journal.load("o")).private == PrivateData(PRIVATE.name, PRIVATE.tel, None)


async def test_erasing_forgets_name_and_phone_number(journal: Journal) -> None:
    await journal.append(Append("o", 0, appending("o").events, DUE, private=PRIVATE))
    await journal.append(Append("o", 1, appending("o", after=1).events, None, erase=True))
    private = (await journal.load("o")).private
    assert (private.name, private.tel) == (None, None)
