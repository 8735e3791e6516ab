"""Every problem that the gateway states itself: one table of statuses, codes and texts.

Answers, their examples in the OpenAPI document, and what HAProxy answers for the gateway are made
of these. What the services refuse is worded by them (`actors.contracts.errors`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem (RFC 9457). `detail` has names in braces where `filled` puts values."""

    status: int
    code: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with each answer of the kind."""

    def filled(self, **values: object) -> "ProblemType":
        """Return the same with values in its detail."""
        return replace(self, detail=self.detail.format(**values))

    def document(self) -> dict[str, object]:
        """Return the members that every problem document has."""
        return {
            "type": f"urn:problem-type:siren:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }


AGAIN_SOON = {"Retry-After": "1"}
CLOSE = {"Connection": "close"}
"""Where nobody knows, or waits for, the end of the request."""

BAD_REQUEST = ProblemType(400, "bad_request", "This is not HTTP/1.1 as RFC 9112 has it.", CLOSE)
HOST_MISSING = ProblemType(400, "host_missing", "HTTP/1.1 needs a Host.")
NO_TOKEN = ProblemType(
    401,
    "unauthenticated",
    "This needs a token: Authorization: Bearer <token>.",
    {"WWW-Authenticate": "Bearer"},
)
NOT_KNOWN_TO_BE_THE_OWNER = replace(
    NO_TOKEN,
    detail=NO_TOKEN.detail + " The owner needs none on this machine, but this request is not known "
    "to be theirs: {why}.",
)
TOKEN_NOT_VALID = ProblemType(
    401, "unauthenticated", "{why}", {"WWW-Authenticate": 'Bearer error="invalid_token"'}
)
CARD_DECLINED = ProblemType(
    402, "card_declined", "The card was declined; the order can be paid again."
)
WRONG_ROLE = ProblemType(403, "forbidden", "This is not for the role {role}.")
WRONG_STORE = ProblemType(403, "forbidden", "This is for the staff of another store.")
PRICES_ARE_SET_BY_THE_OWNER = ProblemType(
    403, "forbidden", "Only the owner sets prices; nothing was changed."
)
NOT_FROM_THIS_MACHINE = ProblemType(
    403,
    "forbidden",
    "Authentication is off here: only requests from this machine to itself are let in; of this "
    "one, {why}.",
)
FOREIGN_CUSTOMER = ProblemType(
    403,
    "foreign_customer",
    "A customer orders in their own name: customer.id must be the token's subject.",
)
ORDER_NOT_FOUND = ProblemType(404, "order_not_found", "There is no order with this id.")
NO_SUCH_PATH = ProblemType(404, "not_found", "There is nothing at this path.")
METHOD_NOT_ALLOWED = ProblemType(405, "method_not_allowed", "This path does not take this method.")
NOT_ACCEPTABLE = ProblemType(
    406,
    "not_acceptable",
    "This is answered as {media_type}, as it is or as gzip.",
    {"Vary": "Accept, Accept-Encoding"},
)
NOT_ACCEPTABLE_AS_IT_IS = replace(
    NOT_ACCEPTABLE, detail="This is answered as {media_type}, as it is alone."
)
BODY_TOO_LATE = ProblemType(
    408,
    "body_too_late",
    "The whole body has to arrive within {seconds:g} s; nothing was done.",
    CLOSE,
)
PRECONDITION_FAILED = ProblemType(
    412,
    "precondition_failed",
    "All tags here are weak, and If-Match compares strongly: it is met by * alone, where the thing "
    "exists. Nothing was done.",
)
IS_THERE = replace(
    PRECONDITION_FAILED,
    detail="If-None-Match says that what is there now must not be there. Nothing was done.",
)
BODY_TOO_LARGE = ProblemType(413, "body_too_large", "The body may have at most {most} bytes.")
ADDRESS_TOO_LONG = ProblemType(414, "address_too_long", "An address may have {most} bytes.")
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    415,
    "unsupported_media_type",
    "The body has to be application/json in UTF-8.",
    {"Accept": "application/json"},
)
# RFC 9110, section 12.5.3
UNSUPPORTED_CODING = ProblemType(
    415,
    "unsupported_coding",
    "The body has to be sent as it is, without a content coding.",
    {"Accept-Encoding": "identity"},
)
MISDIRECTED = ProblemType(
    421, "misdirected", "This port is for the system's own proxy. Nothing was done."
)
INVALID_REQUEST = ProblemType(422, "invalid_request", "{what} is not valid, at {where}: {fault}.")
FIELDS_TOO_LARGE = ProblemType(
    431,
    "fields_too_large",
    "A request may have {bytes} bytes and {lines} lines of header fields.",
)
# `Retry-After` says the same: see `problems.too_many`.
TOO_MANY_REQUESTS = ProblemType(
    429, "too_many_requests", "Too many requests; try again in {seconds} s."
)
TOO_MANY_AT_ONCE = ProblemType(
    429,
    "too_many_at_once",
    "You have {most} requests under way; try again once one of them is answered.",
    AGAIN_SOON,
)
TOO_MANY_STREAMS = ProblemType(
    429,
    "too_many_streams",
    "You keep {most} streams open; close one of them first.",
    AGAIN_SOON,
)
INTERNAL_ERROR = ProblemType(500, "internal_error", "The request failed unexpectedly.")
NOT_IMPLEMENTED = ProblemType(501, "not_implemented", "This is no method that anything here knows.")
OVERLOADED = ProblemType(
    503, "overloaded", "Too many requests are under way; nothing was done.", AGAIN_SOON
)
STARTING = ProblemType(
    503,
    "starting",
    "No replica answers yet; nothing was done. Try again in a moment.",
    AGAIN_SOON,
)
NO_ANSWER = ProblemType(
    503,
    "unavailable",
    "The outcome is not known. Repeat the request; a command with the same Idempotency-Key.",
    AGAIN_SOON,
)
NOT_READY = ProblemType(
    503, "not_ready", "No orders can be placed at the moment; reading works.", AGAIN_SOON
)
VERSION_NOT_SUPPORTED = ProblemType(
    505,
    "version_not_supported",
    "This speaks HTTP/1.1 and 1.0, not the version that the request names.",
    CLOSE,
)


def not_acceptable(media_type: str, *, coded: bool = True) -> ProblemType:
    """Return the problem of a client that takes nothing of what there is."""
    kind = NOT_ACCEPTABLE if coded else NOT_ACCEPTABLE_AS_IT_IS
    return kind.filled(media_type=media_type)


# What clients are told of errors whose own detail is for operators: it may name hosts and files.
UNKNOWN_OUTCOME = "The outcome is not known yet. Repeat the request with the same Idempotency-Key."
DAMAGED = "What is stored of this cannot be read at the moment; the operator has been told."
