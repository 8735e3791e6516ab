"""Two orders whose events are sealed, what is done to them by SQL, and what `siren verify` says."""

import asyncio
from typing import Any

from sqlalchemy import MetaData, text
from typer.testing import CliRunner

from actors.order.domain import commands as cmd
from actors.runtime.database import Database
from actors.settings import Settings
from cluster.cli import app
from tests.support.services import InProcess


class Sealed:
    """Two orders of five events each, in a system that has ended."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.mine = self.other = ""

    async def live(self) -> None:
        async with InProcess(self.settings) as system:
            self.mine, self.other = await system.place(), await system.place()
            for order_id in (self.mine, self.other):
                await system.do(order_id, cmd.StartPreparation)
            await system.settle()

    async def change(self, *statements: str, **values: Any) -> None:
        database = Database(self.settings.url("journal"), MetaData())
        given = {"mine": self.mine, "other": self.other, "version": 2, **values}
        for statement in statements:
            query = text(statement)
            async with database.write() as connection:
                await connection.execute(
                    query, {name: given[name] for name in query.compile().params}
                )
        await database.close()

    async def found(self) -> list[str]:
        """Return the lines of the violations."""
        data = ["--data", str(self.settings.data_dir)]
        result = await asyncio.to_thread(CliRunner().invoke, app, ["verify", *data])
        assert result.exit_code in (0, 1), result.output
        lines = [line for line in result.stdout.splitlines() if "  " in line]
        assert (result.exit_code == 1) == bool(lines), result.output
        return lines

    async def names(self, order_id: str, code: str, words: str = "") -> bool:
        found = await self.found()
        told = [
            line for line in found if line.startswith(f"{order_id}  {code}: ") and words in line
        ]
        assert told, found
        return True
