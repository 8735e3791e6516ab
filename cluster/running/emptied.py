"""Refuses a database that would be taken for a new one, although another one knows of orders.

Among files `integrity` sees to it. Here servers come in: a wrong URL, or a second system that has
the journal in common and nothing else, would forget tombstones, and charge again.
"""

import asyncio

from sqlalchemy import MetaData, Select, inspect, literal_column, select, table
from sqlalchemy.ext.asyncio import AsyncConnection

from actors.contracts.errors import SirenError
from actors.runtime.database_faults import file_of, name_of
from actors.settings import Service, Settings
from cluster.operations.read_only import ReadOnly
from cluster.running.integrity import HOLDING, has_content, has_rows


async def refuse_emptied(settings: Settings) -> None:
    """Raise `SirenError` where a database has none of its tables, and another one has orders.

    A server that cannot be asked now counts as neither.
    """
    found = await asyncio.gather(*(_look(settings, service) for service in HOLDING))
    looks = dict(zip(HOLDING, found, strict=True))
    empty = [service for service, (is_there, _) in looks.items() if is_there is False]
    known = [service for service, (_, has_orders) in looks.items() if has_orders]
    if not empty or not known:
        return
    places = ", ".join(f"{service} ({_place(settings, service)})" for service in empty)
    detail = (
        f"nothing is in the database of {places}, although {known[0]} "
        f"({_place(settings, known[0])}) knows of orders: let it be found again, or begin anew "
        "with all of them empty"
    )
    raise SirenError("database_missing", detail)


def _place(settings: Settings, service: Service) -> str:
    variable, name = settings.variable_of(service), name_of(settings.url(service))
    return name if variable is None else f"{variable}, {name}"


async def _look(settings: Settings, service: Service) -> tuple[bool | None, bool]:
    """Return whether a database has tables, None where nobody can tell, and whether it has rows."""
    url, name = settings.url(service), HOLDING[service]
    file = file_of(url)
    if file is not None:
        return has_content(file), has_rows(file, name)
    database = ReadOnly(url, MetaData())
    try:
        async with database.read() as connection:
            return await _look_into(connection, name)
    except SirenError:
        return None, False
    finally:
        await database.close()


async def _look_into(connection: AsyncConnection, name: str) -> tuple[bool, bool]:
    if not await connection.run_sync(lambda sync: inspect(sync).has_table(name)):
        return False, False
    one: Select[tuple[int]] = select(literal_column("1")).select_from(table(name)).limit(1)
    return True, await connection.scalar(one) is not None
