"""Everything that the databases hold of one order, and what its own events say of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from actors.contracts.errors import UnknownEvent
from actors.order.domain.events import CustomerErased, OrderPlaced, StoredEvent
from actors.order.domain.order import Order, evolve
from actors.order.domain.saga import Step, next_steps
from actors.order.event_codec import decode_event
from actors.runtime.clock import EPOCH, from_micros

Finding = tuple[str, str]
"""A code for programs and words for people, without any personal data."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that can never be true of an order, and is."""

    order_id: str
    code: str
    words: str

    def __str__(self) -> str:
        return f"{self.order_id}  {self.code}: {self.words}"


@dataclass(slots=True)
class Dossier:
    """The rows of one order, read at `read_at`.

    `checkpoint`: the journal position that the view has reached; `unsealed_until`: the one up to
    which code without seals may have written.
    """

    order_id: str
    checkpoint: int = 0
    unsealed_until: int = 0
    read_at: datetime = EPOCH
    events: list[Row[Any]] = field(default_factory=list)
    charges: list[Row[Any]] = field(default_factory=list)
    private: Row[Any] | None = None
    open: Row[Any] | None = None
    key: Row[Any] | None = None
    payment: Row[Any] | None = None
    ticket: Row[Any] | None = None
    view: Row[Any] | None = None
    unreadable: dict[str, str] = field(default_factory=dict)
    """Which of the above could not be read, and where it is stored."""

    @property
    def live_charges(self) -> list[Row[Any]]:
        """The charges that the customer pays for."""
        return [charge for charge in self.charges if charge.status == "APPROVED"]


@dataclass(frozen=True, slots=True)
class Case:
    """A dossier and its order; `viewed` is the order as of the view row's version, if any."""

    dossier: Dossier
    order: Order
    viewed: Order | None

    @property
    def acknowledged(self) -> int:
        """The ticket version that the store has confirmed."""
        row = self.dossier.open
        unconfirmed = row is not None and row.ticket_version is not None
        return 0 if unconfirmed else self.order.ticket_version

    @property
    def outstanding(self) -> tuple[Step, ...]:
        """The steps that the order needs next."""
        return next_steps(self.order, self.acknowledged)

    @property
    def at_rest(self) -> bool:
        """Whether no step is outstanding: payment and store know what the order knows."""
        if "open" in self.dossier.unreadable:
            return False  # nobody can tell
        return not self.outstanding


def fold_events(dossier: Dossier) -> tuple[Case | None, list[Finding]]:
    """Fold the order's events, which are in order of version; no case where they make no order."""
    gap = _gap([row.version for row in dossier.events])
    if gap is not None:
        return None, [gap]
    order: Order | None = None
    viewed: Order | None = None
    findings: list[Finding] = []
    for row in dossier.events:
        try:
            event = decode_event(row.type, row.schema_version, row.data)
        except UnknownEvent:
            words = f"version {row.version}, a {row.type}, is a newer version of siren's: use that"
            return None, [*findings, ("event_unknown", words)]
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, this is the finding
            words = f"version {row.version}, a {row.type}, cannot be read ({type(error).__name__})"
            return None, [*findings, ("event_unreadable", words)]
        if order is None and not isinstance(event, OrderPlaced):
            return None, [("not_placed_first", f"the first event is {row.type}, not OrderPlaced")]
        if order is not None and order.finished and not isinstance(event, CustomerErased):
            words = f"{row.type} in version {row.version} comes after {order.status}"
            findings.append(("event_after_end", words))
        try:
            at = from_micros(row.at)
            stored = StoredEvent(row.order_id, row.version, event, at, row.command_id)
            order = evolve(order, stored)
        except Exception as error:  # noqa: BLE001 - as above
            words = f"version {row.version}, a {row.type}, does not fit ({type(error).__name__})"
            return None, [*findings, ("fold_error", words)]
        if dossier.view is not None and dossier.view.version == row.version:
            viewed = order
    return None if order is None else Case(dossier, order, viewed), findings


def _gap(versions: list[int]) -> Finding | None:
    for expected, version in enumerate(versions, start=1):
        if version != expected:
            words = f"version {expected} is missing from the journal, which goes to {versions[-1]}"
            return "version_gap", words
    return None
