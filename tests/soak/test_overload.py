"""Overload for half a minute: what can be done is done, and nobody starves (5 minutes, 2 cores)."""

from cluster.headings import overload
from cluster.headings.measuring import measured
from cluster.headings.record import Outcome
from cluster.headings.target import Target


async def test_every_figure_of_an_overloaded_system_is_as_it_must_be() -> None:
    outcomes: list[Outcome] = []
    async with Target(print) as target:
        async for _, outcome in measured([overload.HEADING], target):
            print(f"{outcome.verdict}: {outcome.done}: {outcome.figure}")
            outcomes.append(outcome)
    assert [each for each in outcomes if not each.verdict.is_well] == []
    assert len(outcomes) == 9
