"""What actors send each other arrives as it was sent; what is no message is refused."""

from datetime import UTC, datetime

import msgspec
import pytest

from actors.contracts import messages
from actors.contracts.errors import SirenError
from actors.contracts.messages import Message
from actors.contracts.values import OrderStatus
from actors.runtime.message_codec import pack, to_json, unpack
from tests.support.errors import ERRORS, kinds_of

MESSAGES = [
    messages.OrderRequest("o", b"\x00\xff", 2.0),
    messages.OrderReply(b"{}", 4, "ACCEPTED", settled=True, replayed=False, attempt=None),
    messages.TicketReply("ACCEPTED", "A-001", datetime(2026, 3, 1, tzinfo=UTC)),
    messages.StoreChange("gangnam", open=None, set_capacity=True, capacity=None),
    messages.MenuItemChange("gangnam", "bagel", sold_out=True, price=None),
    messages.Done(),
]


def test_every_message_says_its_kind() -> None:
    declared = {
        value
        for value in vars(messages).values()
        if isinstance(value, type) and value.__module__ == messages.__name__
    }
    assert declared == {Message, *Message.__subclasses__()}


def test_a_peer_of_the_version_before_takes_a_message_that_is_traced() -> None:
    class OrderRequest(msgspec.Struct, frozen=True, tag=True):
        order_id: str
        command: bytes
        wait: float

    request = messages.OrderRequest("o", b"\x00", 2.0, trace={"traceparent": "00-1-2-01"})
    known = msgspec.msgpack.decode(pack(request), type=OrderRequest)
    assert known == OrderRequest("o", b"\x00", 2.0)


def test_what_is_not_traced_is_sent_as_by_the_version_before() -> None:
    sent = msgspec.msgpack.decode(pack(messages.OrderRequest("o", b"\x00", 2.0)))
    assert sent == {"type": "OrderRequest", "order_id": "o", "command": b"\x00", "wait": 2.0}


def test_what_the_version_before_sends_is_taken() -> None:
    reply = {"type": "PaymentReply", "payment_id": None, "status": "X", "was_approved": False}
    assert unpack(msgspec.msgpack.encode(reply)) == messages.PaymentReply(None, "X")


@pytest.mark.parametrize(
    "data", [b"", b"\xc1", msgspec.msgpack.encode({"type": "Nonsense"}), pack(messages.Done())[:-1]]
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        unpack(data)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    assert unpack(pack(message)) == message


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_an_error_arrives_as_itself(error: SirenError) -> None:
    arrived = unpack(pack(error))
    assert type(arrived) is type(error)
    assert vars(arrived) == vars(error)


def test_every_kind_of_error_can_be_sent() -> None:
    assert {type(error) for error in ERRORS} == kinds_of(SirenError)


def test_json_has_rfc_3339_times_and_plain_words() -> None:
    value = {"at": datetime(2026, 3, 1, 12, tzinfo=UTC), "status": OrderStatus.PAID}
    assert to_json(value) == b'{"at":"2026-03-01T12:00:00Z","status":"PAID"}'
