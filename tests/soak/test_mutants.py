"""The rules of an order are tested to the letter: whoever changes one finds a test that fails."""

import subprocess
import sys

from tests.support.system import ROOT


def test_every_mutant_of_an_order_s_rules_is_killed_or_known_to_be_no_change() -> None:
    assert (
        subprocess.run([sys.executable, "-m", "tests.mutants"], cwd=ROOT, check=False).returncode
        == 0
    )
