"""Whether tests notice that a module is another one: each mutant has a process of its own.

Processes are forked where pytest has been imported and no mutant has, so that in each of them the
mutant is what everything imports.
"""

import os
import resource
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import NoReturn

import pytest

# Rules need no fixtures, and plugins take seconds to start.
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
ALONE = ["-c", os.devnull, "--rootdir=.", "--import-mode=importlib", "--noconftest"]
ENOUGH_S = 20
"""Of a processor: a mutant that goes round in circles is killed, too."""


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: Path, source: str) -> None:
        super().__init__(name, str(path))
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        """Compile the mutant, whatever is in the file."""
        return compile(self._source, self.get_filename(fullname), "exec")


class _Finder(MetaPathFinder):
    def __init__(self, loader: _Loader) -> None:
        self._loader = loader

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the mutant, and leave all other modules to others."""
        loader = self._loader
        return spec_from_file_location(name, loader=loader) if name == loader.name else None


def killed(path: Path, source: str, tests: Iterable[str]) -> bool:
    """Return whether a file of tests fails where `source` stands in the place of a module."""
    return any(_fails(path, source, test) for test in tests)


def _fails(path: Path, source: str, test: str) -> bool:
    child = os.fork()
    if child == 0:
        _run(path, source, test)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


def _run(path: Path, source: str, test: str) -> NoReturn:
    resource.setrlimit(resource.RLIMIT_CPU, (ENOUGH_S, ENOUGH_S))
    quiet = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(quiet, stream)
    name = ".".join(path.with_suffix("").parts)
    sys.meta_path.insert(0, _Finder(_Loader(name, path, source)))
    code = pytest.main([*ALONE, "-x", "-p", "no:cacheprovider", test])
    os._exit(int(code))
