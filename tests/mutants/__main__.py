"""`make mutants`: each mutant of an order's rules is killed by a test, or known to be no change.

Exits with 1 where one is neither, and where `equivalent.toml` names one that is killed or is none.
"""

import argparse
import sys
import tomllib
from itertools import chain
from pathlib import Path

from tests.mutants.changes import mutants_of
from tests.mutants.killing import killed

DOMAIN = Path("actors/order/domain")
RULES = ("order", "saga", "evolving", "refusals", "command_ids", "folding")
"""Whose tests these are; each needs no more than the rules themselves."""
FIRST = {"order": "evolving", "saga": "saga", "decisions": "order"}
"""Of each module, what notices most."""
EQUIVALENT = Path(__file__).with_name("equivalent.toml")


def main() -> int:
    """Try each mutant; return 1 where one survives, or is not what the list says."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", default=[*FIRST])
    modules = parser.parse_args().modules
    known = {
        name
        for name in chain.from_iterable(tomllib.loads(EQUIVALENT.read_text()).values())
        if name.partition(":")[0].partition(".")[0] in modules
    }
    survivors = set(chain.from_iterable(map(_survivors, modules)))
    for name in sorted(survivors - known):
        print(f"SURVIVES, and is not listed: {name}")
    for name in sorted(known - survivors):
        print(f"LISTED, and is killed or no mutant: {name}")
    return int(survivors != known)


def _survivors(module: str) -> list[str]:
    path = DOMAIN / f"{module}.py"
    names = sorted(RULES, key=lambda name: name != FIRST[module])
    tests = [f"tests/unit/{DOMAIN}/test_{name}.py" for name in names]
    if killed(path, path.read_text(), tests):
        sys.exit(f"the tests fail without any change of {path}")
    mutants = mutants_of(path)
    survivors = []
    for number, mutant in enumerate(mutants, start=1):
        if not killed(path, mutant.source, tests):
            survivors.append(mutant.name)
        if number % 50 == 0 or number == len(mutants):
            print(f"{path}: {number} of {len(mutants)} tried, {len(survivors)} survive", flush=True)
    return survivors


if __name__ == "__main__":
    sys.exit(main())
