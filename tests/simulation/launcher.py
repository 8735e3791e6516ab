"""Runs `siren simulate` on other copies of the packages, each in a fork of its own.

Each line that it reads is a folder with packages, a file for what is printed, and the options; for
each it writes the exit code. What those packages import of others is loaded once, before; of theirs
nothing is.
"""

import os
import sys

import aiosqlite  # noqa: F401
import prometheus_client  # noqa: F401
import pydantic_settings  # noqa: F401
import ray  # noqa: F401
import requests  # noqa: F401
import rich.console  # noqa: F401
import sqlalchemy.ext.asyncio  # noqa: F401
import tenacity  # noqa: F401
import typer  # noqa: F401


def simulate(folder: str, output: str, options: list[str]) -> None:
    """Become the command, as the packages in the folder have it."""
    file = os.open(output, os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.path.insert(0, folder)
    import actors  # noqa: PLC0415 - the folder's
    import readmodel  # noqa: PLC0415
    from cluster.simulate_commands import app  # noqa: PLC0415

    for package in (actors, readmodel):
        assert package.__file__ is not None
        assert package.__file__.startswith(folder)
    app(options)


def main() -> None:
    """Do it, until there are no more lines."""
    assert not {"actors", "cluster", "readmodel"} & set(sys.modules)
    for line in sys.stdin:
        folder, output, *options = line.split()
        child = os.fork()
        if not child:
            simulate(folder, output, options)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
