"""`tests/README.md` promises a test for each fault: it is there."""

import ast
import re

import pytest

from tests.support.system import ROOT

README = (ROOT / "tests/README.md").read_text()
NAMED = re.findall(r"`(tests/[^`]+?\.py)(?:::(\w+))?`", README)
ROWS = [line for line in README.splitlines() if line.startswith("| ") and line.count(" | ") == 3]


def functions_in(file: str) -> set[str]:
    nodes = ast.walk(ast.parse((ROOT / file).read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("file", sorted({file for file, _ in NAMED}))
def test_each_test_that_the_table_names_is_there(file: str) -> None:
    named = {test for in_file, test in NAMED if in_file == file and test}
    assert named - functions_in(file) == set()


def test_each_fault_has_a_test() -> None:
    faults = [row for row in ROWS if not row.startswith(("| fault ", "| --- "))]
    assert faults
    assert [row for row in faults if "`tests/" not in row] == []
