"""Whether what clients were told before a power cut is still there after it, and all is right.

Looks from outside, by SQL and HTTP; compares with what was told and with the recorded journal.
"""

import tempfile
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path

import httpx

from tests.support.outside import Detail
from tests.support.power.books import Row, rows, schemas_of
from tests.support.power.customers import ITEM, Asked
from tests.support.power.recording import Recording

UNCHANGING = ("order_id", "store_id", "customer", "items", "total", "currency", "placed_at")
PAGE = 100
EVENTS = (
    "SELECT order_id, version, type, data, at, command_id FROM events ORDER BY order_id, version"
)


def _histories(folder: Path) -> dict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for order_id, *event in rows(folder, "journal", EVENTS):
        found[order_id].append(tuple(event))
    return dict(found)


class Judge:
    """Knows one recording: what was told when, and which events that relied on."""

    def __init__(self, recording: Recording) -> None:
        self._told = _told(recording.asked)
        self._moments = [moment for moment, _ in self._told]
        self._asked = recording.asked
        self._prices = recording.prices
        with tempfile.TemporaryDirectory() as folder:
            for name, content in recording.files.items():
                (Path(folder) / name).write_bytes(content)
            self._written = _histories(Path(folder))
            self.schemas = schemas_of(Path(folder))

    def told_by(self, moment: int) -> dict[str, Detail]:
        """Return the newest that clients had been told of each order by a moment."""
        newest: dict[str, Detail] = {}
        for _, detail in self._told[: bisect_right(self._moments, moment)]:
            known = newest.get(detail["order_id"])
            if known is None or known["version"] <= detail["version"]:
                newest[detail["order_id"]] = detail
        return newest

    def unanswered(self, moment: int) -> list[Asked]:
        """Return the commands that were under way at a moment."""
        return [
            asked
            for asked in self._asked
            if asked.key and asked.began < moment and (asked.ended is None or asked.ended > moment)
        ]

    def lost(self, folder: Path, moment: int) -> list[str]:
        """Return what was told by a moment and is not in the databases in a folder as it was."""
        there = _histories(folder)
        lost = [
            f"{order_id} was told to have version {detail['version']}; "
            f"of that, {len(there.get(order_id, ()))} events are there"
            for order_id, detail in self.told_by(moment).items()
            if there.get(order_id, [])[: detail["version"]]
            != self._written[order_id][: detail["version"]]
        ]
        price = max((price for at, price in self._prices if at <= moment), default=0)
        item = ITEM.rpartition("/")[2]
        query = f"SELECT price FROM menu_items WHERE store_id='gangnam' AND menu_id='{item}'"
        found = rows(folder, "stores", query)
        if price and (not found or found[0][0] < price):
            lost.append(f"the price {price} was acknowledged; {found} is there")
        return lost

    async def details_differ(self, http: httpx.AsyncClient, moment: int) -> list[str]:
        """Return where the system does not answer what it had told before."""
        answer = await http.get("/order-details", params={"limit": PAGE})
        shown = {each["order_id"]: each for each in answer.json()["items"]}
        told = self.told_by(moment)
        wrong = [
            f"{order_id} was told as {detail}, and is shown as {shown.get(order_id)}"
            for order_id, detail in told.items()
            if not _goes_on_from(detail, shown.get(order_id))
        ]
        for order_id in list(told)[-1:]:
            detail = (await http.get(f"/orders/{order_id}")).json()
            if detail != shown.get(order_id):
                wrong.append(f"the journal has {detail}, and the view {shown.get(order_id)}")
        return wrong


def _told(asked: list[Asked]) -> list[tuple[int, Detail]]:
    answered = [(each.ended, each.detail) for each in asked if each.ended is not None]
    return sorted(answered, key=lambda told: told[0])


def _goes_on_from(told: Detail, shown: Detail | None) -> bool:
    if shown is None or shown["version"] < told["version"]:
        return False
    if shown["version"] == told["version"]:
        return shown == told
    return all(shown[name] == told[name] for name in UNCHANGING)
