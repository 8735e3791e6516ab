"""More bugs than tests/simulation plants: each is found, and named (a minute)."""

from pathlib import Path

import pytest

from tests.simulation.planted_more import MORE
from tests.simulation.planting import Planted
from tests.simulation.test_planted import Simulate, check, simulate

pytestmark = pytest.mark.timeout(300)
__all__ = ["simulate"]


@pytest.mark.parametrize("bug", MORE, ids=lambda bug: bug.name)
def test_another_planted_bug_is_found_and_named(
    bug: Planted, simulate: Simulate, tmp_path: Path
) -> None:
    check(bug, simulate, tmp_path)
