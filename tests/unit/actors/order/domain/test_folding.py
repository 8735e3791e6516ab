"""Only a whole history, in its order, is folded into an order."""

import pytest

from actors.order.domain.order import evolve
from tests.support.orders import APPROVED, PLACED, REQUESTED, given, stored


def test_a_gap_in_the_versions_stops_the_fold() -> None:
    with pytest.raises(ValueError, match="version 3 after 1"):
        evolve(given(PLACED), stored(APPROVED, 3))


def test_an_event_that_comes_twice_stops_the_fold() -> None:
    with pytest.raises(ValueError, match="version 2 after 2"):
        evolve(given(PLACED, REQUESTED), stored(REQUESTED, 2))


def test_a_history_that_does_not_begin_at_the_beginning_stops_the_fold() -> None:
    with pytest.raises(ValueError, match="does not begin"):
        evolve(None, stored(REQUESTED, 1))


def test_an_order_that_is_placed_twice_stops_the_fold() -> None:
    with pytest.raises(ValueError, match="placed twice"):
        evolve(given(PLACED), stored(PLACED, 2))
