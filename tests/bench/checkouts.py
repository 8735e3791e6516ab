"""`make bench-checkouts BESIDE=DIR`: this checkout beside another one, measured in turns."""

import argparse
from contextlib import ExitStack
from pathlib import Path

from tests.bench.in_turns import compare
from tests.support.system import ROOT, System


def main() -> None:
    """Compare the two."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.checkouts", description=__doc__)
    parser.add_argument("beside", type=Path, help="the other checkout, after its `make install`")
    compare(parser, _systems)


def _systems(_stack: ExitStack, folder: Path, asked: argparse.Namespace) -> dict[str, System]:
    places = {"this": ROOT, "other": asked.beside.absolute()}
    for name in places:
        (folder / name).mkdir()
    return {name: System(folder / name / "data", place) for name, place in places.items()}


if __name__ == "__main__":
    main()
