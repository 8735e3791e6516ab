"""A kind of import-linter contract that it does not bring along."""

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class StandardLibraryOnly(Contract):
    """These modules, and those below them, import each other and the standard library alone."""

    modules = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 - its interface
        roots = [str(module) for module in self.modules]  # type: ignore[attr-defined]
        inside = {name for root in roots for name in {root} | graph.find_descendants(root)}
        illegal = [
            f"{module} imports {imported}"
            for module in sorted(inside)
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if imported not in inside and imported.partition(".")[0] not in sys.stdlib_module_names
        ]
        return ContractCheck(kept=not illegal, metadata={"illegal": illegal})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["illegal"]:
            output.print_error(line)
