"""Orders that cannot be, from before there were rules: found by verify, and served all the same."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from actors.contracts.values import Line, OrderStatus, PrivateData
from actors.order.domain import commands as cmd
from actors.order.domain import events as ev
from actors.order.journal_appends import Append
from actors.settings import Settings
from cluster.audit import verify
from cluster.cli import app
from tests.support.orders import PLACED, PRIVATE
from tests.support.services import InProcess

LATTE = Line("latte", "Latte", 1, 5000)
NOBODY = PrivateData("\u3164", "010-1234-5678")
PERSON = PrivateData(PRIVATE.name, PRIVATE.tel)
IMPOSSIBLE: dict[str, tuple[ev.OrderPlaced, PrivateData, str]] = {
    "nothing": (replace(PLACED, lines=(), total=0), PERSON, "it has 0 lines"),
    "less": (
        replace(PLACED, lines=(replace(LATTE, quantity=-1),), total=-5000),
        PERSON,
        "line 0 is over -1 pieces",
    ),
    "many": (
        replace(PLACED, lines=(replace(LATTE, quantity=1_000_000),), total=5_000_000_000),
        PERSON,
        "line 0 is over 1000000 pieces",
    ),
    "gift": (
        replace(PLACED, lines=(LATTE, replace(LATTE, unit_price=-5000)), total=0),
        PERSON,
        "line 1 has a unit price of -5000",
    ),
    "long": (replace(PLACED, lines=(LATTE,) * 51, total=255_000), PERSON, "it has 51 lines"),
    "other-sum": (replace(PLACED, total=9000), PERSON, "its total is 9000, its lines are 12500"),
    "nobody": (replace(PLACED, customer_id=""), PERSON, "it has no customer"),
    "nameless": (PLACED, NOBODY, "its customer has no name"),
    "tel-less": (PLACED, PrivateData("영욱", None), "its customer has no tel"),
}


def stored(order_id: str, placed: ev.OrderPlaced) -> ev.StoredEvent:
    later = datetime.now(UTC) + timedelta(hours=1)
    placed = replace(placed, payment_due=later)
    return ev.StoredEvent(order_id, 1, placed, datetime.now(UTC), "")


async def keep(settings: Settings) -> None:
    """Let a journal hold them, as the code before the rules wrote them, and one that is right."""
    async with InProcess(settings) as system:
        await system.place(None)
        for order_id, (placed, private, _) in IMPOSSIBLE.items():
            event = stored(order_id * 3, placed)
            due = event.event.payment_due if isinstance(event.event, ev.OrderPlaced) else None
            await system.journal.append(Append(order_id * 3, 0, (event,), due, private=private))
        await system.settle()


def test_an_order_that_cannot_be_is_a_violation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "PAUSE_S", 0)
    asyncio.run(keep(Settings(data_dir=tmp_path)))

    result = CliRunner().invoke(app, ["verify", "--data", str(tmp_path)])

    assert result.exit_code == 1
    lines = [line for line in result.stdout.splitlines() if "  " in line]
    found = {tuple(line.split("  order_impossible: ")) for line in lines}
    expected = {(order_id * 3, words) for order_id, (*_, words) in IMPOSSIBLE.items()}
    assert expected <= found, result.stdout
    assert {order_id for order_id, *_ in found} == {order_id for order_id, _ in expected}


async def test_an_order_that_cannot_be_is_served_and_can_be_cancelled(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    await keep(settings)
    async with InProcess(settings) as system:
        for order_id in IMPOSSIBLE:
            reply = await system.do(order_id * 3, cmd.CancelOrder, reason="rain")
            assert reply.order_status == OrderStatus.CANCELED
            lines = msgspec.json.decode(reply.detail)["items"]
            assert len(lines) == len(IMPOSSIBLE[order_id][0].lines)
