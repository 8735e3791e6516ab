"""Everything that Siren Order can answer instead of doing what was asked.

SirenError
├── Rejected      a business "no": final, never retried
│   ├── PriceChanged  the total is not the one that the customer agreed to
│   └── SoldOut       names what the store has no more of
├── Invalid       the request cannot be understood; names the field
├── NotFound      no such order, payment, store or menu item
├── Conflict      somebody else was first; load again and decide again
├── AlreadyPlaced the key has placed an order before, under another id
└── Unavailable   may or may not have happened; ask again with the same key
    ├── Damaged   what is stored cannot be read; asking again helps once it was repaired
    └── UnknownEvent  a newer version's; it helps once this one is replaced

All arguments reach `super().__init__`, so that every error survives pickling between actors.
"""

from collections.abc import Iterable

INTERNAL_ERROR = "internal_error"
"""Code of an `Unavailable` that stands for a fault of ours: a service failed unexpectedly."""


class SirenError(Exception):
    """A `code` for programs and a `detail` for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.detail} ({self.code})"


class Rejected(SirenError):
    """The business says no. Asking again gives the same answer until something changes."""


class PriceChanged(Rejected):
    """The order would cost `total`, in the minor unit, which is not what was expected."""

    def __init__(self, total: int) -> None:
        SirenError.__init__(self, "price_changed", f"The price has changed: the total is {total}.")
        self.args = (total,)
        self.total = total


class SoldOut(Rejected):
    """The store has no more of these: ids and names of menu items, in the order's order."""

    def __init__(self, menu_ids: Iterable[str], names: Iterable[str]) -> None:
        menu_ids, names = tuple(menu_ids), tuple(names)
        verb = "is" if len(names) == 1 else "are"
        SirenError.__init__(self, "sold_out", f"{', '.join(names)} {verb} sold out.")
        self.args = (menu_ids, names)
        self.menu_ids = menu_ids


class Invalid(SirenError):
    """The request makes no sense; `pointer` is the JSON pointer of the field at fault."""

    def __init__(self, code: str, detail: str, pointer: str = "") -> None:
        SirenError.__init__(self, code, detail)
        self.args = (code, detail, pointer)
        self.pointer = pointer


class NotFound(SirenError):
    """There is nothing with this id."""


class Conflict(SirenError):
    """The order moved on since it was read: another incarnation appended first."""


class AlreadyPlaced(SirenError):
    """The customer's key has placed an order before: `order_id`."""

    def __init__(self, order_id: str) -> None:
        SirenError.__init__(self, "already_placed", "This key has placed an order before.")
        self.args = (order_id,)
        self.order_id = order_id


class Unavailable(SirenError):
    """The outcome is unknown. Repeating the request with the same key is always right."""


class Damaged(Unavailable):
    """A database, or a row of it, is not what was written. No other order is touched by it."""


class UnknownEvent(Unavailable):
    """The journal holds an event that this version of the code does not know: a newer one will."""

    def __init__(self, tag: str, schema_version: int) -> None:
        event = f"event {tag!r} of schema version {schema_version}"
        detail = f"unknown {event}: is the code older than the journal?"
        SirenError.__init__(self, "unknown_event", detail)
        self.args = (tag, schema_version)


def may_pass(error: BaseException) -> bool:
    """Whether the same request is expected to succeed by itself later: nothing need be mended."""
    if not isinstance(error, Unavailable) or isinstance(error, Damaged):
        return False
    return error.code != INTERNAL_ERROR
