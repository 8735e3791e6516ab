"""What stands in the view, beside what the journal says."""

from sqlalchemy import select

from actors.order.domain.detail import detail
from actors.order.domain.events import StoredEvent
from actors.order.domain.order import fold
from actors.order.journal import Journal
from actors.runtime.database import Database
from actors.runtime.message_codec import to_json
from readmodel.tables import LIVE, checkpoint, order_detail


async def bodies(view: Database) -> dict[str, str]:
    async with view.read() as connection:
        query = select(order_detail.c.order_id, order_detail.c.body)
        return {row.order_id: row.body for row in await connection.execute(query)}


async def position(view: Database) -> int:
    async with view.read() as connection:
        query = select(checkpoint.c.position).where(checkpoint.c.name == LIVE)
        return int(await connection.scalar(query) or 0)


async def assert_view_is_the_fold(view: Database, journal: Journal) -> None:
    """Fold each order's whole history afresh and compare rows, places and checkpoint."""
    history = await journal.read_after(0, 100_000)
    expected = {}
    for order_id in {stored.order_id for _, stored in history}:
        mine = [(at, stored) for at, stored in history if stored.order_id == order_id]
        order = fold(stored for _, stored in mine if isinstance(stored, StoredEvent))
        assert order is not None
        private = (await journal.load(order_id)).private
        body = to_json(detail(order, private)).decode()
        columns = (order.customer_id, order.store_id, order.status)
        expected[order_id] = (mine[0][0], order.version, *columns, mine[-1][0], body)
    async with view.read() as connection:
        rows = await connection.execute(select(order_detail))
        found = {
            row.order_id: (
                row.seq,
                row.version,
                row.customer_id,
                row.store_id,
                row.order_status,
                row.position,
                row.body,
            )
            for row in rows
        }
    assert found == expected
    assert await position(view) == (history[-1][0] if history else 0)


def ignore(position: int, last_position: int) -> None:
    """Rebuild without showing progress."""
