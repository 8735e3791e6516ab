"""The journal's statements, built once: what runs for every order."""

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    Text,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)

from actors.order.journal_tables import events, open_orders, order_keys, order_private, seal_sums
from actors.order.seals import MASK, SUMMED
from actors.runtime.database import Database
from actors.runtime.statements import Prepared

EVENT_COLUMNS = [column.name for column in events.c if column.name != "position"]


class Statements:
    """What is run again and again, prepared once. `order_ids` is a list, `mine` one order's id."""

    def __init__(self, database: Database) -> None:
        def among(column: Column[str]) -> ColumnElement[bool]:
            return database.among(column, "order_ids")

        prepare, e, p = database.prepare, events.c, order_private.c
        nothing = bindparam("nothing", type_=Text)
        my_private = update(order_private).where(p.order_id == bindparam("mine"))
        private_of = select(
            p.order_id,
            p.name,
            p.tel,
            p.payment_token,
            p.cancel_reason,
        )
        o = open_orders.c
        self.versions = prepare(
            select(e.order_id, func.max(e.version)).where(among(e.order_id)).group_by(e.order_id)
        )
        self.events = prepare(
            select(events).where(among(e.order_id)).order_by(e.order_id, e.version)
        )
        self.read_after = prepare(
            select(events)
            .where(e.position > bindparam("position"))
            .order_by(e.position)
            .limit(bindparam("limit", type_=Integer))
        )
        self.envelopes = prepare(
            select(e.position, e.order_id, e.version, e.type, e.at)
            .where(e.position > bindparam("position"))
            .order_by(e.position)
            .limit(bindparam("limit", type_=Integer))
        )
        self.private = prepare(
            select(p.order_id, p.name, p.tel, p.cancel_reason).where(among(p.order_id))
        )
        self.all_private = prepare(private_of.where(among(p.order_id)))
        self.unconfirmed = prepare(select(o.order_id, o.ticket_version).where(among(o.order_id)))
        self.histories = (self.events, self.all_private, self.unconfirmed)
        self.insert_events = prepare(insert(events), EVENT_COLUMNS)
        self.add_sums = _add_sums(database)
        k = order_keys.c
        self.keys = prepare(select(k.key, k.order_id).where(database.among(k.key, "keys")))
        self.insert_keys = prepare(insert(order_keys), k.keys())
        self.open = database.prepare_upsert(open_orders, "order_id", ("due_at", "ticket_version"))
        self.close = prepare(delete(open_orders).where(open_orders.c.order_id == bindparam("mine")))
        self.insert_private = prepare(insert(order_private), order_private.c.keys())
        self.replace_token = prepare(my_private.values(payment_token=bindparam("new_token")))
        self.note_reason = prepare(my_private.values(cancel_reason=bindparam("reason")))
        self.erase = prepare(my_private.values(name=nothing, tel=nothing, cancel_reason=nothing))
        self.arbitration = (self.versions, self.keys)
        self.appending = (
            self.insert_events,
            self.add_sums,
            self.insert_keys,
            self.open,
            self.close,
            self.insert_private,
            self.replace_token,
            self.note_reason,
            self.erase,
        )


def _add_sums(database: Database) -> Prepared:
    """Add to the one row of `seal_sums`, in the database itself: several hosts move it on."""
    insert_sums, mask = database.insert(seal_sums), literal_column(str(MASK), BigInteger)
    sums = {
        name: (seal_sums.c[name] + insert_sums.excluded[name]).bitwise_and(mask) for name in SUMMED
    }
    upsert = insert_sums.on_conflict_do_update(index_elements=["id"], set_=sums)
    return database.prepare(upsert, seal_sums.c.keys())
