"""What stands in a journal today must be readable for ever, whatever the code is renamed to."""

from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.contracts.errors import UnknownEvent
from actors.order import event_codec
from actors.order.domain import events
from actors.order.event_codec import decode_event, encode_event
from tests.support.orders import (
    ACCEPTED,
    APPROVED,
    CANCELED,
    CHARGE_UNDONE,
    DECLINED,
    PLACED,
    REQUESTED,
)

# Never change a line of this: journals hold it. A new shape gets a new schema version.
JOURNAL: dict[str, tuple[events.Event, str]] = {
    "OrderPlaced": (
        PLACED,
        (
            '{"customer_id":"c-17","store_id":"gangnam","lines":[{"menu_id":"americano",'
            '"name":"Americano","quantity":2,"unit_price":4500},{"menu_id":"bagel","name":"Bagel",'
            '"quantity":1,"unit_price":3500}],"total":12500,"currency":"KRW","body_hash":"hash",'
            '"payment_due":"2026-03-01T12:15:00Z"}'
        ),
    ),
    "PaymentRequested": (REQUESTED, '{"attempt":1,"amount":12500}'),
    "PaymentApproved": (APPROVED, '{"attempt":1,"payment_id":"pay-1"}'),
    "PaymentDeclined": (DECLINED, '{"attempt":1,"payment_id":"pay-1"}'),
    "PickupStarted": (
        ACCEPTED,
        '{"number":"A-042","estimated_ready_at":"2026-03-01T12:07:00Z"}',
    ),
    "PickupRejected": (events.PickupRejected("sold_out"), '{"reason":"sold_out"}'),
    "PreparationStarted": (events.PreparationStarted(), "{}"),
    "PickupReady": (events.PickupReady(), "{}"),
    "PickedUp": (events.PickedUp(), "{}"),
    "OrderCanceled": (CANCELED, '{"reason":"customer_request","by":"customer"}'),
    "PickupCanceled": (events.PickupCanceled(), "{}"),
    "PaymentCanceled": (CHARGE_UNDONE, '{"payment_id":"pay-1"}'),
    "CustomerErased": (events.CustomerErased(), "{}"),
}
# msgspec keeps a time zone's offset, not its name: what comes back is equal all the same.
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
st.register_type_strategy(datetime, TIMES)
# The ids and counters of a message are no larger than what the journal's columns hold.
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))
st.register_type_strategy(str, st.text(st.characters(codec="utf-8")))

EVENT_TYPES = get_args(events.Event)


def test_every_event_has_its_tag_and_its_sample_here() -> None:
    assert list(JOURNAL) == list(event_codec.EVENT_TYPES)
    assert {type(event) for event, _ in JOURNAL.values()} == set(EVENT_TYPES)


@pytest.mark.parametrize("tag", JOURNAL)
def test_an_event_is_written_as_it_always_was(tag: str) -> None:
    event, text = JOURNAL[tag]
    assert encode_event(event) == (tag, 2, text)


@pytest.mark.parametrize("tag", JOURNAL)
def test_an_event_is_read_as_it_always_was(tag: str) -> None:
    event, text = JOURNAL[tag]
    for version in (1, 2):
        assert decode_event(tag, version, text) == event


def test_what_somebody_wrote_in_version_1_is_read_as_a_code() -> None:
    words = '{"reason":"Nara called, 010-9999","by":"customer"}'
    canceled = decode_event("OrderCanceled", 1, words)
    assert canceled == events.OrderCanceled("customer_request", "customer")
    rejected = decode_event("PickupRejected", 1, '{"reason":"rude customer"}')
    assert rejected == events.PickupRejected("store_rejected")


@given(event=st.one_of([st.from_type(event_type) for event_type in EVENT_TYPES]))
def test_every_event_is_read_as_it_was_written(event: events.Event) -> None:
    assert decode_event(*encode_event(event)) == event


def test_an_unknown_event_is_refused_and_named() -> None:
    with pytest.raises(UnknownEvent, match="OrderTeleported"):
        decode_event("OrderTeleported", 1, "{}")


def test_a_newer_schema_version_is_refused_and_named() -> None:
    with pytest.raises(UnknownEvent, match="schema version 3"):
        decode_event("PickedUp", 3, "{}")


def test_an_older_event_is_upcast_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if version 1 had no `by` and called the reason `why`, and version 2 had renamed it."""

    def rename(fields: dict[str, Any]) -> dict[str, Any]:
        return {"reason": fields["why"]}

    def add_by(fields: dict[str, Any]) -> dict[str, Any]:
        return {**fields, "by": "customer"}

    monkeypatch.setitem(event_codec.SCHEMA_VERSIONS, "OrderCanceled", 3)
    monkeypatch.setitem(event_codec.UPCASTERS, ("OrderCanceled", 1), rename)
    monkeypatch.setitem(event_codec.UPCASTERS, ("OrderCanceled", 2), add_by)
    late = events.OrderCanceled("late", "customer")
    assert decode_event("OrderCanceled", 1, '{"why":"late"}') == late
    assert decode_event("OrderCanceled", 2, '{"reason":"late"}') == late
    assert decode_event("OrderCanceled", 3, '{"reason":"late","by":"customer"}') == late


def test_a_schema_change_without_its_upcaster_is_noticed() -> None:
    for tag, current in event_codec.SCHEMA_VERSIONS.items():
        for older in range(1, current):
            assert (tag, older) in event_codec.UPCASTERS
