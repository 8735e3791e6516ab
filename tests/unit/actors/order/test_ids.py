"""An order belongs to one slot for ever, and every slot to exactly one order host."""

from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.installation import Installation
from actors.order.ids import SLOTS, host_of, key_of, new_order_id, slot_of, slots_of
from actors.settings import Settings

ORDER_IDS = st.text("0123456789abcdef", min_size=32, max_size=35)
HOSTS = st.integers(1, SLOTS)


def test_an_order_s_id_is_its_time_and_what_customer_and_key_determine() -> None:
    order_id = partial(new_order_id, Installation(Settings(), b"secret", order_hosts=1))
    before = datetime.now(UTC)
    ids = [order_id("c-1", "k"), order_id("c-1", "k"), order_id("c-2", "k"), order_id("c-1", None)]
    after = datetime.now(UTC)
    for each in ids:
        assert len(each) == 11 + 24
        assert before.timestamp() - 0.001 <= int(each[:11], 16) / 1000 <= after.timestamp()
    assert key_of(ids[0]) == key_of(ids[1])
    assert len({key_of(each) for each in ids}) == 3


def test_the_slot_of_an_order_is_the_same_in_every_process_and_version() -> None:
    """The journal holds slots: another hash would send an order's commands to a second host."""
    assert slot_of("0123456789abcdef0123456789abcdef") == 177
    assert slot_of("00000000000000000000000000000000") == 171


@given(order_id=ORDER_IDS, hosts=HOSTS)
def test_an_order_s_host_recovers_the_order_s_slot(order_id: str, hosts: int) -> None:
    assert slot_of(order_id) in slots_of(host_of(order_id, hosts), hosts)


@given(hosts=HOSTS)
def test_every_slot_has_exactly_one_host(hosts: int) -> None:
    owned = [slot for host in range(hosts) for slot in slots_of(host, hosts)]
    assert sorted(owned) == list(range(SLOTS))


@pytest.mark.parametrize("hosts", [1, 2, 3, 7, 256])
def test_the_slots_are_shared_out_evenly(hosts: int) -> None:
    sizes = {len(slots_of(host, hosts)) for host in range(hosts)}
    assert max(sizes) - min(sizes) <= 1
