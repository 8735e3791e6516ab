"""On PostgreSQL what every order asks is found by its key, in a database that was empty just now.

The server keeps plans, and counts the rows of a new table only after a minute: until then it takes
a table for as small as it was when the plan was made.
"""

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from actors.runtime.database import Database
from actors.settings import Settings
from tests.support.services import InProcess

PLANNED = 12
"""Orders after which the server has made the plans that it keeps."""


async def test_no_order_reads_a_whole_table(postgres_url: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url=SecretStr(postgres_url))
    async with InProcess(settings) as services:
        await _place(services, PLANNED)
        before = await _whole_tables_read(services)
        await _place(services, PLANNED)
        assert await _whole_tables_read(services) == before


async def _place(services: InProcess, count: int) -> None:
    for _ in range(count):
        order_id = await services.place()
        await services.journal.load(order_id)
        await services.projection.catch_up()


async def _whole_tables_read(services: InProcess) -> dict[str, int]:
    """Return how often each table was read as a whole."""
    databases: list[Database] = [
        services.journal.database,
        services.ledger.database,
        services.provider.database,
        services.stores.database,
        services.view,
    ]
    for database in databases:
        raw: Any = database._postgres
        for connection in raw._idle:
            await connection.fetch("SELECT pg_stat_force_next_flush()")
    async with services.view.read() as connection:
        rows = await connection.exec_driver_sql(
            # Incidents are looked for by the clock, whether there are orders or not.
            "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname <> 'incidents'"
        )
        return dict(map(tuple, rows))
