"""How far the view is behind: in events, and as the age of what it lacks."""

from actors.order.journal import Journal
from actors.runtime.metrics import REGISTRY
from readmodel.view_lag import measure_lag
from tests.support.shop import Shop


def lag() -> tuple[float | None, float | None]:
    seconds = REGISTRY.get_sample_value("siren_view_lag_seconds")
    return REGISTRY.get_sample_value("siren_view_lag_events"), seconds


async def test_a_view_that_has_all_events_is_not_behind(journal: Journal) -> None:
    await Shop(journal).deliver("a")
    await measure_lag(journal, await journal.last_position())
    assert lag() == (0, 0)


async def test_a_view_is_behind_by_the_events_that_it_lacks_and_their_age(
    journal: Journal,
) -> None:
    await Shop(journal).deliver("a")  # in the spring of 2025
    await measure_lag(journal, await journal.last_position() - 2)
    events, seconds = lag()
    assert events == 2
    assert seconds is not None
    assert seconds > 24 * 3600
