"""What operators see of orders: events, steps, mailboxes, and those that do not get on."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from actors.order.census import measure_stuck
from actors.order.domain import commands as cmd
from actors.order.ids import slots_of
from actors.order.overdue import OverdueOrders
from actors.runtime.metrics import REGISTRY
from actors.settings import Settings
from tests.support.services import InProcess
from tests.support.waiting import until

PATIENT = {"breaker_threshold": 100, "breaker_reset_s": 0.01}


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[InProcess]:
    settings = Settings(data_dir=tmp_path).model_copy(update=PATIENT)
    async with InProcess(settings) as system:
        yield system


def number(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def since_now(name: str, **labels: str) -> Callable[[], float]:
    before = number(name, **labels)
    return lambda: number(name, **labels) - before


async def test_the_events_of_an_order_are_counted_by_type(system: InProcess) -> None:
    placed, approved = (
        since_now("siren_order_events_total", type=tag)
        for tag in ("OrderPlaced", "PaymentApproved")
    )
    await system.place()
    assert (placed(), approved()) == (1, 1)


async def test_a_repeat_counts_no_event(system: InProcess) -> None:
    order_id = await system.place()
    cancel = cmd.CancelOrder("the same", "customer_request")
    await system.send(order_id, cancel)
    canceled = since_now("siren_order_events_total", type="OrderCanceled")
    await system.send(order_id, cancel)
    assert canceled() == 0


async def test_each_commit_counts_with_its_size_and_its_service(system: InProcess) -> None:
    services = ("journal", "payments", "provider", "stores")
    commits = [since_now("siren_commit_size_count", service=service) for service in services]
    timed = [since_now("siren_commit_duration_seconds_count", service=name) for name in services]
    await system.place()
    assert all(count() >= 1 for count in commits)
    assert [count() for count in timed] == [count() for count in commits]


async def test_a_step_that_fails_counts_as_a_retry_by_its_cause(system: InProcess) -> None:
    labels = {"step": "AuthorizePayment", "code": "provider_unavailable"}
    retries = since_now("siren_step_retries_total", **labels)
    tries = since_now("siren_step_duration_seconds_count", step="AuthorizePayment")
    await system.place("tok_unavailable", wait=0)
    await until(lambda: retries() >= 2)
    assert tries() >= retries()


async def test_live_orders_are_seen_by_status_until_they_are_let_go(system: InProcess) -> None:
    activations, passivations = (
        since_now(f"siren_order_{what}_total") for what in ("activations", "passivations")
    )
    await system.place()
    await system.settle()
    await system.host.take_census()
    assert number("siren_orders_live", status="ACCEPTED") == 1
    assert (activations(), passivations()) == (1, 0)

    system.host.passivate_after_s = 0
    system.host.passivate_idle()
    await system.host.take_census()
    assert number("siren_orders_live", status="ACCEPTED") == 0
    assert passivations() == 1


async def test_the_mailboxes_tell_how_many_commands_are_in_them(system: InProcess) -> None:
    order_id = await system.place()
    async with system.host._live[order_id].mailbox:
        await system.host.take_census()
        assert number("siren_mailbox_depth") == number("siren_mailbox_deepest") == 1
    await system.host.take_census()
    assert number("siren_mailbox_depth") == 0


@pytest.mark.parametrize(("seconds", "stuck"), [(50, 0), (70, 1)])
async def test_an_order_is_stuck_after_a_minute_without_progress(
    system: InProcess, monkeypatch: pytest.MonkeyPatch, seconds: int, stuck: int
) -> None:
    await system.place("tok_unavailable", wait=0)
    later = datetime.now(UTC) + timedelta(seconds=seconds)
    monkeypatch.setattr("actors.order.telling.utc_now", lambda: later)
    await measure_stuck(system.journal)
    assert number("siren_orders_stuck") == stuck


async def test_a_look_for_overdue_orders_tells_how_many_there_are(system: InProcess) -> None:
    await system.place("tok_unavailable", wait=0)
    later = datetime.now(UTC) + timedelta(seconds=10)
    fetch = partial(system.journal.overdue, slots_of(0, 1))
    await OverdueOrders(fetch, system.host, lambda: later).look()
    assert number("siren_orders_overdue") == 1


async def test_the_circuits_are_shown_as_they_stand(system: InProcess) -> None:
    await system.payments.show_circuits()
    assert number("siren_circuit_open", circuit="charges") == 0
    system.payments.charges._doubts |= {f"order-{n}" for n in range(10_000)}
    await system.payments.show_circuits()
    assert number("siren_circuit_open", circuit="charges") == 1
    assert number("siren_circuit_open", circuit="refunds") == 0
