"""`siren orders` and `siren explain` tell of orders from their databases alone."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest

from actors.order.domain.events import Event
from actors.order.domain.saga import Step
from actors.order.domain.story import BY
from actors.settings import Settings
from cluster.operations.explain import HAPPENED, WAITS
from tests.support.command import sentence, siren
from tests.support.damage import change
from tests.support.services import InProcess


async def one_order(folder: Path) -> str:
    async with InProcess(Settings(data_dir=folder)) as system:
        order_id = await system.place()
        await system.settle()
        return order_id


@pytest.fixture
def order_id(tmp_path: Path) -> str:
    return asyncio.run(one_order(tmp_path))


def test_an_order_is_explained_while_nothing_runs(tmp_path: Path, order_id: str) -> None:
    result = siren("explain", order_id, data=tmp_path)
    assert result.exit_code == 0, result.output
    assert f"order {order_id}: ACCEPTED, version 4" in result.stdout
    assert "payment 1 approved, by payment, took" in result.stdout
    assert "waits for the barista, to begin" in result.stdout


def test_it_is_explained_as_it_was_and_for_programs(tmp_path: Path, order_id: str) -> None:
    result = siren("explain", order_id, "--at", "2", "--json", data=tmp_path)
    story = json.loads(result.stdout)
    assert (story["version"], story["order_status"]) == (2, "PLACED")
    assert [wait["what"] for wait in story["waits"]] == ["AuthorizePayment 1"]


def test_what_cannot_be_explained_gets_a_sentence(tmp_path: Path, order_id: str) -> None:
    assert "no order with this id" in sentence(siren("explain", "nobody", data=tmp_path))
    assert "versions 1 to 4" in sentence(siren("explain", order_id, "--at", "5", data=tmp_path))
    assert "siren up" in sentence(siren("explain", order_id, data=tmp_path / "elsewhere"))


def test_an_order_that_should_have_gone_on_is_listed_and_told_as_far_as_it_can_be_read(
    tmp_path: Path, order_id: str
) -> None:
    assert siren("orders", "--stuck", data=tmp_path).exit_code == 0
    journal = tmp_path / "journal.db"
    change(journal, f"UPDATE events SET data = '{{' WHERE order_id = '{order_id}' AND version = 3")
    change(journal, f"INSERT INTO open_orders VALUES ('{order_id}', 0, 1, NULL)")
    result = siren("orders", "--stuck", data=tmp_path)
    assert result.exit_code == 1
    assert f"siren orders retry {order_id}" in result.stdout
    listed = json.loads(siren("orders", "--stuck", "--json", data=tmp_path).stdout)
    assert [each["order_id"] for each in listed["orders"]] == [order_id]
    told = siren("explain", order_id, data=tmp_path).stdout
    assert "payment 1 asked for" in told
    assert "the rest cannot be told: event 3" in told


def test_a_journal_of_an_earlier_version_is_told_of(tmp_path: Path, order_id: str) -> None:
    journal = tmp_path / "journal.db"
    change(journal, f"INSERT INTO open_orders VALUES ('{order_id}', 0, 1, NULL)")
    with closing(sqlite3.connect(journal)) as database:
        database.execute("DROP TABLE order_failures")
    assert order_id in siren("orders", "--stuck", data=tmp_path).stdout
    assert siren("explain", order_id, data=tmp_path).exit_code == 0


def test_orders_are_asked_of_a_system_that_runs(tmp_path: Path) -> None:
    for arguments in (["orders"], ["orders", "retry", "x"], ["orders", "cancel", "x"]):
        result = siren(*arguments, data=tmp_path)
        assert result.exit_code == 1
        assert "siren up" in sentence(result)


def test_every_event_and_every_step_has_words() -> None:
    events = {event.__name__ for event in get_args(Event)}
    assert events == HAPPENED.keys()
    assert events - {"OrderCanceled"} == {event.__name__ for event in BY}
    assert {step.__name__ for step in get_args(Step)} <= WAITS.keys()
