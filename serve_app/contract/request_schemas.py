"""The JSON and the query parameters that the HTTP contract accepts. Strict: see `Request`."""

import re
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from actors.contracts.limits import (
    MAX_CAPACITY,
    MAX_ID,
    MAX_LINES,
    MAX_NAME,
    MAX_PAGE,
    MAX_PRICE,
    MAX_QUANTITY,
    MAX_REASON,
    MAX_TEL,
    MAX_TOKEN,
    MAX_TOTAL,
)
from actors.contracts.values import OrderStatus
from actors.order.new_order import NewOrder
from actors.order.queries import DEFAULT_PAGE

MAX_VERSION = 2**31 - 1
MAX_CURSOR = 512

# Control characters and line ends have no place in what is printed on a ticket; NUL, which no
# database text can hold, is one of them. Lone surrogates are no valid JSON here.
_PRINTABLE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$"
_VISIBLE = r"^[!-~]+$"
_WHOLE = re.compile(r"-?[0-9]+")

CustomerId = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID, pattern=_PRINTABLE)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=MAX_NAME, pattern=_PRINTABLE)]
Tel = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEL, pattern=_PRINTABLE)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=MAX_REASON, pattern=_PRINTABLE)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TOKEN, pattern=_VISIBLE)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID, pattern=_VISIBLE)]

Given = TypeVar("Given")


def _not_null(value: Given | None) -> Given:
    if value is None:
        raise PydanticCustomError("null", "Must not be null; leave it out instead")
    return value


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]


def _without_null(schema: dict[str, Any]) -> None:
    given, _null = schema.pop("anyOf")
    schema.update(given)
    _without_default(schema)


Omissible = Annotated[
    Given | None, AfterValidator(_not_null), Field(json_schema_extra=_without_null)
]
"""May be left out, and then is None here; may not be null."""


# --- requests -----------------------------------------------------------------------------------


class Request(BaseModel):
    """A request body: no unknown fields, no conversions (neither "2" nor true is the number)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Customer(Request):
    """Who orders."""

    id: CustomerId
    name: Name
    tel: Tel


class OrderItem(Request):
    """How many of what; the price comes from the store's menu."""

    menu_id: Id
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]


class Payment(Request):
    """What to charge. The token stands for a card; the card itself never comes here."""

    method: Literal["card"]
    token: Token

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"method": "card", "token": "tok_approve"}]}
    )


class PlaceOrder(Request):
    """An order to place. Without `payment` it waits to be paid until its payment deadline.

    With `expected_total`, in the minor unit, it is placed only if it costs exactly that.
    """

    customer: Customer
    store_id: Id
    items: Annotated[list[OrderItem], Field(min_length=1, max_length=MAX_LINES)]
    payment: Payment | None = None
    expected_total: Omissible[Annotated[int, Field(ge=0, le=MAX_TOTAL)]] = None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer": {"id": "c-17", "name": "영욱", "tel": "010-1234-5678"},
                    "store_id": "gangnam",
                    "items": [
                        {"menu_id": "americano", "quantity": 2},
                        {"menu_id": "bagel", "quantity": 1},
                    ],
                    "payment": {"method": "card", "token": "tok_approve"},
                }
            ]
        }
    )

    def to_order(self) -> NewOrder:
        """Return it as the client takes it."""
        return NewOrder(
            customer_id=self.customer.id,
            name=self.customer.name,
            tel=self.customer.tel,
            store_id=self.store_id,
            items=tuple((item.menu_id, item.quantity) for item in self.items),
            token=self.payment.token if self.payment else None,
            expected_total=self.expected_total,
        )


class Cancel(Request):
    """Why an order is cancelled; may be left out, as may the whole body.

    Without a reason it is that whoever cancels wants it so. An owner who passes on a customer's
    wish says `customer_request`.
    """

    reason: Omissible[Reason] = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "customer_request"}]})


class Reject(Request):
    """Why the store gives the order up."""

    reason: Reason

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "machine_broken"}]})


class Nothing(Request):
    """A command that needs no words; its body may be left out."""


class Change(Request):
    """A change of some fields; what is left out stays as it is."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        # Not in `model_config`: the examples that each change has there would take its place.
        return handler.resolve_ref_schema(handler(core)) | {"minProperties": 1}

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing_to_change", "Name at least one field to change")
        return self


class ChangeStore(Change):
    """Open, close or limit a store; `capacity` null is unlimited."""

    open: Omissible[bool] = None
    capacity: Annotated[
        Annotated[int, Field(ge=0, le=MAX_CAPACITY)] | None,
        Field(json_schema_extra=_without_default),  # left out is not unlimited
    ] = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"open": False}, {"capacity": 40}]})


class ChangeMenuItem(Change):
    """Sell out, or change the price (in the minor unit of the store's currency)."""

    sold_out: Omissible[bool] = None
    price: Omissible[Annotated[int, Field(gt=0, le=MAX_PRICE)]] = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"sold_out": True}, {"price": 4700}]})


# --- query parameters -----------------------------------------------------------------------------


def _in_digits(value: object) -> object:
    # Pydantic would read "1_0", "4.0" and " 5 " as well, which other servers read otherwise.
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise PydanticCustomError("whole_number", "Should be a whole number, in digits")
    return value


Whole = Annotated[int, BeforeValidator(_in_digits)]


class Filter(BaseModel):
    """Which part of a list: `cursor` is a former answer's `next_cursor`."""

    model_config = ConfigDict(frozen=True, use_enum_values=True)

    limit: Whole = Field(50, ge=1, le=MAX_PAGE)
    cursor: str | None = Field(None, min_length=1, max_length=MAX_CURSOR)


class EventFilter(Filter):
    """Which part of an order's history."""

    limit: Whole = Field(DEFAULT_PAGE, ge=1, le=MAX_PAGE)


class OrderDetailQuery(BaseModel):
    """How recent an order detail is asked for."""

    min_version: Whole = Field(0, ge=0, le=MAX_VERSION)


class OrderDetailFilter(Filter):
    """Which order details."""

    customer_id: CustomerId | None = None
    store_id: Id | None = None
    order_status: OrderStatus | None = None


TicketStatus = Literal["ACCEPTED", "PREPARING", "READY", "PICKED_UP", "REJECTED", "CANCELED"]
RecordStatus = Literal["PENDING", "APPROVED", "DECLINED", "CANCELED"]


class TicketFilter(Filter):
    """Which tickets."""

    store_id: Id | None = None
    status: TicketStatus | None = None
    order_id: Id | None = None


class PaymentFilter(Filter):
    """Which payments."""

    order_id: Id | None = None
    status: RecordStatus | None = None
