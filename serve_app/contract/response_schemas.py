"""The JSON of the HTTP contract's answers. These models only describe: answers are ready bytes."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from actors.contracts.values import OrderStatus, PaymentStatus, PickupStatus
from serve_app.contract.identity import Role
from serve_app.contract.request_schemas import RecordStatus, TicketStatus

Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A part of a list; `next_cursor` asks for what follows, null at the end."""

    items: list[Item]
    next_cursor: str | None


class KnownCustomer(BaseModel):
    """Who ordered; name and phone number are null once they are erased."""

    id: str
    name: str | None
    tel: str | None


class OrderLine(BaseModel):
    """One line, its name and price frozen at placement; `amount` = `quantity` × `unit_price`."""

    menu_id: str
    name: str
    quantity: int
    unit_price: int
    amount: int


class OrderDetail(BaseModel):
    """An order; money is in the minor unit of `currency`."""

    order_id: str
    version: int
    store_id: str
    customer: KnownCustomer
    items: list[OrderLine]
    total: int
    currency: str
    order_status: OrderStatus
    payment_status: PaymentStatus
    pickup_status: PickupStatus
    payment_id: str | None
    pickup_number: str | None
    estimated_ready_at: datetime | None
    cancel_reason: str | None
    placed_at: datetime
    paid_at: datetime | None
    accepted_at: datetime | None
    ready_at: datetime | None
    picked_up_at: datetime | None
    canceled_at: datetime | None

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "order_id": "5d7f0c7b1f0e4b6f8a3c2d1e0f9a8b7c",
                    "version": 4,
                    "store_id": "gangnam",
                    "customer": {"id": "c-17", "name": "영욱", "tel": "010-1234-5678"},
                    "items": [
                        {
                            "menu_id": "americano",
                            "name": "Americano",
                            "quantity": 2,
                            "unit_price": 4500,
                            "amount": 9000,
                        },
                        {
                            "menu_id": "bagel",
                            "name": "Bagel",
                            "quantity": 1,
                            "unit_price": 3500,
                            "amount": 3500,
                        },
                    ],
                    "total": 12500,
                    "currency": "KRW",
                    "order_status": "ACCEPTED",
                    "payment_status": "APPROVED",
                    "pickup_status": "ACCEPTED",
                    "payment_id": "pay_0c1d2e3f",
                    "pickup_number": "A-042",
                    "estimated_ready_at": "2026-01-05T09:05:00Z",
                    "cancel_reason": None,
                    "placed_at": "2026-01-05T09:00:00Z",
                    "paid_at": "2026-01-05T09:00:00.120000Z",
                    "accepted_at": "2026-01-05T09:00:00.150000Z",
                    "ready_at": None,
                    "picked_up_at": None,
                    "canceled_at": None,
                }
            ]
        }
    )


class OrderEvent(BaseModel):
    """A fact about an order; `version` counts from 1, `data` depends on `type`."""

    version: int
    type: str
    at: datetime
    data: dict[str, Any]


class Happening(BaseModel):
    """An event as it is told; `took_s` and `tries` are of the step whose outcome it is."""

    version: int
    type: str
    at: datetime
    by: Literal["customer", "barista", "store", "payment", "owner", "system"]
    after_s: float | None
    took_s: float | None
    tries: int | None
    data: dict[str, Any]


class Wait(BaseModel):
    """What an order waits for: a step of its saga, or what people do. `cause`: how it fails."""

    what: str
    began_at: datetime
    until: datetime | None
    tries: int
    failing_since: datetime | None
    code: str | None
    cause: str | None
    set_aside: bool
    stuck: bool


class Story(BaseModel):
    """An order's life; `untold` says why it ends before its time, where it does."""

    order_id: str
    version: int
    store_id: str | None
    order_status: OrderStatus | None
    payment_status: PaymentStatus | None
    happened: list[Happening]
    waits: list[Wait]
    untold: str | None


class Ticket(BaseModel):
    """What the store makes; `number` is the one that is called."""

    order_id: str
    store_id: str
    number: str | None
    status: TicketStatus
    items: list[dict[str, Any]]
    customer_name: str | None
    reason: str | None
    estimated_ready_at: datetime | None
    opened_at: datetime | None
    updated_at: datetime


class PaymentRecord(BaseModel):
    """The payment service's own record; `attempts` counts distinct keys, not retries."""

    payment_id: str
    order_id: str
    amount: int
    currency: str
    status: RecordStatus
    approved_at: datetime | None
    canceled_at: datetime | None
    attempts: int


class Store(BaseModel):
    """A store; `estimated_wait_s` is what an order placed now would wait, in seconds."""

    store_id: str
    name: str
    time_zone: str
    currency: str
    open: bool
    capacity: int | None
    queue_length: int
    estimated_wait_s: int


class MenuItem(BaseModel):
    """What can be ordered; `price` is in the minor unit of `currency`."""

    menu_id: str
    name: str
    price: int
    currency: str
    sold_out: bool


class Who(BaseModel):
    """Whom a token is for; `store_id` is of staff."""

    subject: str | None
    role: Role | None
    store_id: str | None
    expires_at: datetime | None


class Session(Who):
    """Who a request is from, and whether requests need a token to be anybody."""

    authentication: Literal["off", "required"]


class GuestSession(BaseModel):
    """A guest and their token."""

    token: str
    subject: str
    role: Role
    store_id: None
    expires_at: datetime


class FieldError(BaseModel):
    """One field at fault; `pointer` is a JSON pointer, `/name` for a header or parameter."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """What went wrong (RFC 9457); `code` is for programs, `detail` for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] | None = None
    total: int | None = None
    menu_ids: list[str] | None = None
