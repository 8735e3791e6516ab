"""The tables of services as earlier versions made them, word for word; never changed afterwards."""

from actors.settings import Service

STORES_1 = (
    (
        "CREATE TABLE stores (store_id VARCHAR(64) NOT NULL PRIMARY KEY, name TEXT NOT NULL, "
        "time_zone VARCHAR(64) NOT NULL, currency VARCHAR(3) NOT NULL, open BOOLEAN NOT NULL, "
        "capacity INTEGER, prepare_s INTEGER NOT NULL, queued INTEGER NOT NULL, "
        "ready INTEGER NOT NULL, number_day VARCHAR(10) NOT NULL, last_number INTEGER NOT NULL)"
    ),
    (
        "INSERT INTO stores VALUES "
        "('old', 'Old', 'Asia/Seoul', 'KRW', TRUE, NULL, 60, 0, 0, '2026-01-01', 7)"
    ),
)
READMODEL_1 = (
    "CREATE TABLE checkpoint (name VARCHAR(64) NOT NULL PRIMARY KEY, position BIGINT NOT NULL)",
    "INSERT INTO checkpoint VALUES ('order_detail', 0)",
)
EARLIER: dict[Service, tuple[tuple[str, ...], ...]] = {
    "stores": (STORES_1,),
    "readmodel": (READMODEL_1,),
}
"""By service: statements that make the database of version 1, 2 and so on, but for today's."""

STILL_DONE: dict[Service, str] = {
    "stores": "UPDATE stores SET last_number = 8 WHERE store_id = 'old'",
    "readmodel": "UPDATE checkpoint SET position = 0 WHERE name = 'order_detail'",
}
"""What the earlier version's code goes on to do while, and after, its database is expanded."""
