"""The view beside its journal, on both kinds of databases."""

from collections.abc import AsyncIterator

import pytest

from actors.order.journal import Journal
from actors.runtime.database import Database
from readmodel.queries import OrderDetails
from readmodel.tables import create_tables, open_database
from tests.support.shop import Shop


@pytest.fixture
def view_url(database_url: str) -> str:
    """PostgreSQL holds everything in one database; SQLite has a file for each service."""
    return database_url.replace("test.db", "readmodel.db")


@pytest.fixture
async def view(view_url: str) -> AsyncIterator[Database]:
    await create_tables(view_url)
    database = open_database(view_url)
    yield database
    await database.close()


@pytest.fixture
async def details(view: Database, view_url: str) -> AsyncIterator[OrderDetails]:  # noqa: ARG001 - creates the tables
    details = OrderDetails(view_url)
    yield details
    await details.close()


@pytest.fixture
def shop(journal: Journal) -> Shop:
    return Shop(journal)
