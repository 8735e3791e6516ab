"""Why an order was cancelled, as codes: what people write themselves never stands in an event."""

CUSTOMER_REQUEST = "customer_request"
STORE_REJECTED = "store_rejected"
PAYMENT_TIMEOUT = "payment_timeout"

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
}
_DEFAULTS = {
    "customer": CUSTOMER_REQUEST,
    "store": STORE_REJECTED,
    "system": PAYMENT_TIMEOUT,
}


def code_of(reason: str, by: str) -> str:
    """Return the code for a reason that customer, store or system gave: itself if it is one."""
    return reason if reason in _CODES[by] else _DEFAULTS[by]
