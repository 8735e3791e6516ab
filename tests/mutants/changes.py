"""Every small change of a module that a slip of the pen could make.

What mutmut changes, also where it changes nothing itself: in properties, decorators, constants and
fields. Beside that, each comparison becomes each other one, each condition comes true or false,
each operand, element, decorator and statement is left out, and each status becomes its neighbour.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import NamedTuple

import libcst as cst

from tests.mutants.operators import changed, is_status

UNCHANGED = (cst.Annotation, cst.Import, cst.ImportFrom)


class Mutant(NamedTuple):
    """A module with one change. `name` tells it from all others."""

    name: str
    source: str


def mutants_of(path: Path) -> list[Mutant]:
    """Return each mutant of a module once, in the order of its lines."""
    original = path.read_text()
    trees = {_tree(original), None}
    named: Counter[str] = Counter()
    mutants = []
    for where, source in _changed_sources(cst.parse_module(original)):
        tree = _tree(source)
        if tree not in trees:
            trees.add(tree)
            name = f"{path.stem}{where}: {_difference(original, source)}"
            named[name] += 1
            mutants.append(Mutant(name if named[name] == 1 else f"{name} #{named[name]}", source))
    return mutants


def _changed_sources(module: cst.Module) -> Iterator[tuple[str, str]]:
    """Return each change with where it is; only the statement that it is in is written anew."""
    parts = [module.code_for_node(statement) for statement in module.body]
    header = module.with_changes(body=[], footer=[]).code
    for number, statement in enumerate(module.body):
        head, tail = header + "".join(parts[:number]), "".join(parts[number + 1 :])
        for where, node, other in _changes(statement, ""):
            replaced = statement.deep_replace(node, other)
            assert isinstance(replaced, cst.CSTNode)
            yield where, head + module.code_for_node(replaced) + tail


def _changes(node: cst.CSTNode, where: str) -> Iterator[tuple[str, cst.CSTNode, cst.CSTNode]]:
    if isinstance(node, UNCHANGED):
        return
    if isinstance(node, cst.FunctionDef | cst.ClassDef):
        where = f"{where}.{node.name.value}"
    for other in changed(node):
        yield where, node, other
    if not is_status(node):
        for child in node.children:
            yield from _changes(child, where)


def _tree(source: str) -> str | None:
    """Return what a source means, without its comments; None where it is no Python."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return None


def _difference(original: str, source: str) -> str:
    before, after = original.splitlines(), source.splitlines()
    old, new = list[str](), list[str]()
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            old += before[i1:i2]
            new += after[j1:j2]
    return f"{_one_line(old)} -> {_one_line(new) or 'nothing'}"


def _one_line(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines if line.strip())
