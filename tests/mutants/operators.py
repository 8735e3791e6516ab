"""What may become of one node of a module: mutmut's changes, and those that it does not make."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Any

import libcst as cst
from mutmut.mutation.mutators import mutation_operators

from actors.contracts.values import OrderStatus, PaymentStatus, PickupStatus

COMPARISONS = (
    cst.LessThan,
    cst.LessThanEqual,
    cst.GreaterThan,
    cst.GreaterThanEqual,
    cst.Equal,
    cst.NotEqual,
)
STATUSES: dict[str, type[StrEnum]] = {
    kind.__name__: kind for kind in (OrderStatus, PaymentStatus, PickupStatus)
}


def changed(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Return each node that may stand in the place of this one."""
    for kind, operator in OPERATORS:
        if isinstance(node, kind):
            yield from operator(node)


def is_status(node: cst.CSTNode) -> bool:
    """Whether this is a status with the name of its kind before it."""
    return isinstance(node, cst.Attribute) and getattr(node.value, "value", "") in STATUSES


def _another_comparison(node: cst.ComparisonTarget) -> Iterator[cst.CSTNode]:
    if isinstance(node.operator, COMPARISONS):
        for kind in COMPARISONS:
            yield node.with_changes(operator=kind())


def _forced(node: cst.If | cst.CompIf) -> Iterator[cst.CSTNode]:
    for test in _foregone(node.test):
        yield node.with_changes(test=test)


def _forced_guard(node: cst.MatchCase) -> Iterator[cst.CSTNode]:
    if node.guard is not None:
        for guard in _foregone(node.guard):
            yield node.with_changes(guard=guard)


def _foregone(test: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """Return conditions that hold always, never, and where this one does not."""
    yield cst.Name("True")
    yield cst.Name("False")
    inner = test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    yield cst.UnaryOperation(cst.Not(), inner)


def _one_operand(node: cst.BooleanOperation) -> Iterator[cst.CSTNode]:
    yield node.left
    yield node.right


def _one_element_less(node: cst.Tuple | cst.Set) -> Iterator[cst.CSTNode]:
    for elements in _one_less(node.elements):
        yield node.with_changes(elements=elements)


def _one_decorator_less(node: cst.FunctionDef | cst.ClassDef) -> Iterator[cst.CSTNode]:
    for decorators in _one_less(node.decorators):
        yield node.with_changes(decorators=decorators)


def _one_less(nodes: Sequence[cst.CSTNode]) -> Iterator[list[cst.CSTNode]]:
    for left_out in nodes:
        yield [node for node in nodes if node is not left_out]


def _no_statement(node: cst.SimpleStatementLine) -> Iterator[cst.CSTNode]:
    match node.body[0]:
        case cst.Assign() | cst.Return() | cst.Raise() | cst.Expr(value=cst.Call()):
            yield node.with_changes(body=[cst.Pass()])


def _one_lower(node: cst.Integer) -> Iterator[cst.CSTNode]:
    yield cst.parse_expression(str(node.evaluated_value - 1))


def _another_status(node: cst.Name | cst.Attribute) -> Iterator[cst.CSTNode]:
    if isinstance(node, cst.Name) and node.value in OrderStatus.__members__:
        yield cst.Name(_neighbour(OrderStatus, node.value))
    elif isinstance(node, cst.Attribute) and is_status(node):
        kind = STATUSES[cst.ensure_type(node.value, cst.Name).value]
        yield node.with_changes(attr=cst.Name(_neighbour(kind, node.attr.value)))


def _neighbour(kind: type[StrEnum], name: str) -> str:
    names = list(kind.__members__)
    return names[(names.index(name) + 1) % len(names)]


OPERATORS: list[tuple[Any, Callable[[Any], Iterable[cst.CSTNode]]]] = [
    *mutation_operators,
    (cst.ComparisonTarget, _another_comparison),
    (cst.If | cst.CompIf, _forced),
    (cst.MatchCase, _forced_guard),
    (cst.BooleanOperation, _one_operand),
    (cst.Tuple | cst.Set, _one_element_less),
    (cst.FunctionDef | cst.ClassDef, _one_decorator_less),
    (cst.SimpleStatementLine, _no_statement),
    (cst.Integer, _one_lower),
    (cst.Name | cst.Attribute, _another_status),
]
