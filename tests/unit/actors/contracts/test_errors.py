"""Errors travel between processes: they must arrive as what they were."""

import pickle

import pytest

from actors.contracts.errors import SirenError
from tests.support.errors import ERRORS, kinds_of

EVERY_ERROR = [SirenError("code", "Some detail."), *ERRORS]


def test_every_kind_of_error_is_looked_at_here() -> None:
    assert {type(error) for error in EVERY_ERROR} == {SirenError, *kinds_of(SirenError)}


@pytest.mark.parametrize("error", EVERY_ERROR, ids=repr)
def test_an_error_survives_pickling_between_actors(error: SirenError) -> None:
    arrived = pickle.loads(pickle.dumps(error))
    assert type(arrived) is type(error)
    assert arrived.args == error.args
    assert vars(arrived) == vars(error)


@pytest.mark.parametrize("error", EVERY_ERROR, ids=repr)
def test_an_error_speaks_to_people_and_to_programs(error: SirenError) -> None:
    assert str(error) == f"{error.detail} ({error.code})"
