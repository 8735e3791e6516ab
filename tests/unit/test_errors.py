"""Errors travel between processes: they must arrive as what they were."""

import pickle

import pytest

from actors.domain.errors import (
    AlreadyPlaced,
    Conflict,
    Invalid,
    NotFound,
    Rejected,
    SirenError,
    Unavailable,
)

EVERY_ERROR = [
    SirenError("code", "Some detail."),
    Rejected("sold_out", "The bagel is sold out."),
    Invalid("unknown_menu_item", "There is no such menu item.", "/items/0/menu_id"),
    Invalid("invalid_cursor", "This cursor was not made by this list."),
    NotFound("order_not_found", "There is no order with this id."),
    AlreadyPlaced("o-1"),
    Conflict("stale_version", "expected version 3, found 4"),
    Unavailable("no_reply", "The service did not answer in time."),
]


def test_every_kind_of_error_is_looked_at_here() -> None:
    assert {type(error) for error in EVERY_ERROR} == {SirenError, *SirenError.__subclasses__()}


@pytest.mark.parametrize("error", EVERY_ERROR, ids=repr)
def test_an_error_survives_pickling_between_actors(error: SirenError) -> None:
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is type(error)
    assert arrived.args == error.args
    assert vars(arrived) == vars(error)


@pytest.mark.parametrize("error", EVERY_ERROR, ids=repr)
def test_an_error_speaks_to_people_and_to_programs(error: SirenError) -> None:
    assert str(error) == f"{error.detail} ({error.code})"
