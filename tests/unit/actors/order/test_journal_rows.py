"""Whatever stands in a row of the journal, it is an event, a newer version's, or damaged.

SQLite keeps in a column whatever was written there, of whatever type. What else a row raised would
take the orders along that are read beside it: those of one activation, or of a whole recovery.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.contracts.errors import Damaged, UnknownEvent
from actors.order.event_codec import EVENT_TYPES, SCHEMA_VERSIONS, encode_event
from actors.order.histories import History, histories_of, readable_part
from actors.order.journal_rows import stored_event
from tests.support.orders import ORDER_ID

DEEP = 10_000
ANYTHING = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
)
NAMES = st.sampled_from(
    ["attempt", "amount", "payment_id", "reason", "by", "number", "lines", "total", "payment_due"]
) | st.text(max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
TEXTS = JSON.map(json.dumps) | st.text(max_size=20)
TAGS = st.sampled_from(list(EVENT_TYPES))
VERSIONS = st.integers(-1, 4)
ROWS = st.tuples(
    ANYTHING,
    st.just(ORDER_ID) | ANYTHING,
    st.just(1) | ANYTHING,
    TAGS | ANYTHING,
    VERSIONS | ANYTHING,
    TEXTS | ANYTHING,
    st.integers(0, 2**52) | ANYTHING,
    ANYTHING,
    st.none() | ANYTHING,
)


def unreadable(words: str) -> Damaged:
    return Damaged("damaged", words)


def read(row: tuple[Any, ...]) -> History | Damaged | UnknownEvent:
    return histories_of([ORDER_ID], [[row], [], []], unreadable)[ORDER_ID]


@given(row=ROWS)
def test_any_row_is_read_or_told_of(row: tuple[Any, ...]) -> None:
    of_nobody = row[1] != ORDER_ID
    found = histories_of([ORDER_ID], [[row], [], []], unreadable)
    assert ORDER_ID in found
    assert all(isinstance(each, History | Damaged | UnknownEvent) for each in found.values())
    part = readable_part([row], [])
    assert of_nobody or isinstance(found[ORDER_ID], History) == (part.untold is None)


@given(tag=TAGS, version=st.integers(1, 2), data=JSON)
def test_an_old_event_is_upcast_into_one_of_today_s_or_it_is_damaged(
    tag: str, version: int, data: object
) -> None:
    history = read((1, ORDER_ID, 1, tag, version, json.dumps(data), 0, "c", None))
    if isinstance(history, Damaged):
        return
    assert isinstance(history, History)
    (event,) = (stored.event for stored in history.events)
    assert isinstance(event, EVENT_TYPES[tag])
    again = (1, ORDER_ID, 1, *encode_event(event), 0, "c", None)
    assert stored_event(again)[1].event == event


@pytest.mark.parametrize("tag", EVENT_TYPES)
def test_a_version_is_old_known_new_or_none_at_all(tag: str) -> None:
    newest = SCHEMA_VERSIONS[tag]
    for version in (newest + 1, 2**62):
        assert isinstance(read((1, ORDER_ID, 1, tag, version, "{}", 0, "c", None)), UnknownEvent)
    for none in (0, -1, None, 1.5, "2"):
        assert isinstance(read((1, ORDER_ID, 1, tag, none, "{}", 0, "c", None)), Damaged)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("data", ["[" * DEEP, '{"x":' + "[" * DEEP + "]" * DEEP + "}"])
def test_what_is_nested_too_deep_damages_its_own_order_alone(version: int, data: str) -> None:
    """As the parser gives up on it in a way of its own."""
    deep = (1, ORDER_ID, 1, "PickedUp", version, data, 0, "c", None)
    beside = (2, "other", 1, "PickedUp", 2, "{}", 0, "c", None)
    found = histories_of([ORDER_ID, "other"], [[deep, beside], [], []], unreadable)
    assert isinstance(found[ORDER_ID], Damaged)
    assert isinstance(found["other"], History)
