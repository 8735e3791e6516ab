"""Each of the bugs in `planted.py` is found by the simulation, which names what it violates.

Without a bug the same schedules violate nothing: `test_simulation.py` runs them.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.simulation.planted import BUGS
from tests.simulation.planting import Planted, plant

pytestmark = pytest.mark.timeout(300)
ROOT = Path(__file__).parents[2]
OPTIONS = "--first --seed 0 --schedules 1000"
Simulate = Callable[[Path], tuple[int, str]]


@pytest.fixture(scope="module")
def simulate() -> Iterator[Simulate]:
    """Run the command with a folder's packages; return exit code and output."""
    command = [sys.executable, str(Path(__file__).with_name("launcher.py"))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        given, told = process.stdin, process.stdout

        def run(folder: Path) -> tuple[int, str]:
            output = folder / "output"
            print(folder, output, OPTIONS, file=given, flush=True)
            code = int(told.readline())
            return code, output.read_text()

        yield run
        given.close()


def check(bug: Planted, simulate: Simulate, folder: Path) -> None:
    """See that the bug is found, and named."""
    plant(bug, ROOT, folder)
    code, output = simulate(folder)
    named = {line.partition(":")[0] for line in output.splitlines()}
    assert code == 1, output
    assert bug.found_as & named, output


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found_and_named(bug: Planted, simulate: Simulate, tmp_path: Path) -> None:
    check(bug, simulate, tmp_path)
