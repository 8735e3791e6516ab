"""Commands arrive at an order as they were sent."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.order.command_codec import TAGS, pack_command, unpack_command
from actors.order.domain import commands
from tests.support.orders import place

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
st.register_type_strategy(datetime, TIMES)
# What a command counts is no larger than what the journal's columns hold.
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))
st.register_type_strategy(float, st.floats(allow_nan=False))  # which is not what it is
st.register_type_strategy(str, st.text(st.characters(codec="utf-8")))

COMMAND_TYPES = get_args(commands.Command)


@given(command=st.one_of([st.from_type(command_type) for command_type in COMMAND_TYPES]))
def test_every_command_arrives_as_it_was_sent(command: commands.Command) -> None:
    assert unpack_command(pack_command(command)) == command


def test_no_two_commands_have_the_same_tag() -> None:
    assert len(set(TAGS.values())) == len(COMMAND_TYPES)


def test_a_placement_is_read_by_and_from_those_who_know_the_deadline_as_a_moment() -> None:
    tag, fields = msgspec.msgpack.decode(pack_command(replace(place(), pay_within_s=900.0)))
    assert (tag, fields.pop("pay_within_s")) == ("PlaceOrder", 900.0)
    assert fields["payment_due"]
    assert unpack_command(msgspec.msgpack.encode((tag, fields))) == place()


def test_an_unknown_command_is_refused() -> None:
    with pytest.raises(KeyError):
        unpack_command(msgspec.msgpack.encode(("TeleportOrder", {})))
