"""Versions that do not work are this one with a fault, which is where it is meant to be."""

import ast
from pathlib import Path

import pytest

from cluster.headings.versions import FAULTS, PACKAGES, ROOT, Fault, copy_of_code


def test_a_good_version_is_a_copy(tmp_path: Path) -> None:
    folder = copy_of_code(tmp_path / "copy")
    for package in PACKAGES:
        files = {file.relative_to(ROOT) for file in (ROOT / package).rglob("*.py")}
        assert {file.relative_to(folder) for file in (folder / package).rglob("*.py")} == files


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_planted_as_code(tmp_path: Path, fault: Fault) -> None:
    text = (copy_of_code(tmp_path / "copy", fault) / fault.file).read_text()
    assert fault.lines in text
    ast.parse(text)
