"""Who calls, and what is theirs. Knows neither tokens nor HTTP."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody is to the shop."""

    CUSTOMER = "customer"
    STAFF = "staff"
    OWNER = "owner"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who calls; `store_id` is of staff, whose scope is that one store.

    `expires_at` is in seconds since 1970, None where it never ends. `guest`: made here on a
    walk-in customer's own word, and therefore renewable on it.
    """

    subject: str
    role: Role
    store_id: str | None = None
    expires_at: int | None = None
    guest: bool = False

    @property
    def sees_everything(self) -> bool:
        """Whether no order is foreign."""
        return self.role is Role.OWNER or self.role is Role.SERVICE

    def sees(self, customer_id: str, store_id: str) -> bool:
        """Return whether an order of this customer at this store is in scope."""
        if self.role is Role.CUSTOMER:
            return self.subject == customer_id
        return self.sees_everything or self.store_id == store_id


OWNER = Identity("owner", Role.OWNER)
"""Whoever sits at a machine on which nothing is configured."""
