"""Why an order was cancelled: a code, which programs and pages understand, or somebody's own words.

What people write themselves never stands in an event. A code tells who decided, so it is not for
others to give: words are never taken for one. The owner alone may pass on what a customer asked
for, with the customer's code.
"""

from unicodedata import normalize

from actors.contracts.errors import Invalid
from actors.contracts.limits import MAX_REASON
from actors.contracts.texts import check_text, shows

CUSTOMER_REQUEST = "customer_request"
STORE_REJECTED = "store_rejected"
PAYMENT_TIMEOUT = "payment_timeout"
OWNER_REQUEST = "owner_request"

STORE_CODES = frozenset(
    (
        STORE_REJECTED,
        "rejected",
        "store_closed",
        "sold_out",
        "store_full",
        "unknown_store",
        # What the board offers to choose from; whatever else is typed there is somebody's words.
        "ingredient_out",
        "machine_broken",
        "closing_soon",
        "not_picked_up",
    )
)
_CODES = {
    "customer": frozenset((CUSTOMER_REQUEST,)),
    "store": STORE_CODES,
    "system": frozenset((PAYMENT_TIMEOUT,)),
    "owner": frozenset((OWNER_REQUEST, CUSTOMER_REQUEST)),
}
_DEFAULTS = {
    "customer": CUSTOMER_REQUEST,
    "store": STORE_REJECTED,
    "system": PAYMENT_TIMEOUT,
    "owner": OWNER_REQUEST,
}

OF_CUSTOMERS = _CODES["customer"]
"""What a customer may give as a code."""
OF_OWNERS = _CODES["owner"]
"""What whoever runs the system may give as a code."""
OF_BARISTAS = frozenset(
    (
        *(STORE_REJECTED, "store_closed", "sold_out", "store_full"),
        # What the board offers; to the events they are words.
        *("closing_soon", "ingredient_out", "machine_broken", "not_picked_up"),
    )
)
"""What a barista may give as a code. That there is no such store is not theirs to say."""
_RESERVED = OF_BARISTAS.union(*_CODES.values())


def code_of(reason: str, by: str) -> str:
    """Return the code for a reason that customer, store, system or owner gave, maybe itself."""
    return reason if reason in _CODES[by] else _DEFAULTS[by]


def check_reason(reason: object, own_codes: frozenset[str]) -> None:
    """Raise `Invalid` for what is no reason, and for a code of others, however it is dressed."""
    check_text(reason, "/reason", MAX_REASON)
    assert isinstance(reason, str)
    if reason not in own_codes and _undressed(reason) in _RESERVED - own_codes:
        detail = "This is a code that others give as a reason: use other words."
        raise Invalid("reserved_reason", detail, "/reason")


def _undressed(reason: str) -> str:
    """Return a reason without what makes it look different and read the same."""
    plain = normalize("NFKC", reason).casefold()
    return "".join(c for c in plain if shows(c) or c.isspace()).strip()
