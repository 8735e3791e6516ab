"""A kind of import-linter contract that it does not bring along."""

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class StandardLibraryOnly(Contract):
    """The modules of `package` import each other and the standard library, nothing else."""

    package = fields.StringField()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 - its interface
        package = str(self.package)
        illegal = [
            f"{module} imports {imported}"
            for module in sorted({package} | graph.find_descendants(package))
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if not _allowed(imported, package)
        ]
        return ContractCheck(kept=not illegal, metadata={"illegal": illegal})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["illegal"]:
            output.print_error(line)


def _allowed(module: str, package: str) -> bool:
    root = module.partition(".")[0]
    return root in sys.stdlib_module_names or f"{module}.".startswith(f"{package}.")
