"""What reads as empty, as a code of others, or in two ways, is refused; the field is named."""

import json

import httpx
import pytest

from serve_app.middleware.request_body import MAX_BODY
from tests.support.http_contract import CARD, ORDER, UNPAID, changed, placed

EMPTY = [" ", "\u3000", "\u200b", "\ufeff", "\u3164", "\u115f\u1160", "\uffa0", "\u2800", "\u0301"]
EMPTY.append("\ufffc")  # the place of an object that a text does not have


@pytest.fixture(scope="module")
def client(shared_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Nothing here leaves a trace that another test could see."""
    return shared_client


def refused(response: httpx.Response) -> tuple[str, list[str]]:
    """Return code and pointers of a 422."""
    assert response.status_code == 422, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    return problem["code"], [error["pointer"] for error in problem["errors"]]


@pytest.mark.parametrize("pointer", ["/customer/id", "/customer/name", "/customer/tel"])
async def test_what_reads_as_empty_names_nobody(client: httpx.AsyncClient, pointer: str) -> None:
    for text in EMPTY:
        response = await client.post("/orders", json=changed(pointer, text))
        assert refused(response) == ("invalid_request", [pointer]), ascii(text)


async def test_what_turns_the_direction_of_writing_is_no_name(client: httpx.AsyncClient) -> None:
    response = await client.post("/orders", json=changed("/customer/name", "\u202eA-001"))

    assert refused(response) == ("invalid_request", ["/customer/name"])


@pytest.mark.parametrize("tel", ["abc", "12", "010-1234-567a", "+", "0" * 20])
async def test_a_phone_number_can_be_dialled(client: httpx.AsyncClient, tel: str) -> None:
    response = await client.post("/orders", json=changed("/customer/tel", tel))

    assert refused(response) == ("invalid_request", ["/customer/tel"])


@pytest.mark.parametrize("tel", ["010-1234-5678", "+82 10 1234 5678", "(02) 123-4567"])
async def test_a_phone_number_is_kept_as_it_was_written(
    client: httpx.AsyncClient, tel: str
) -> None:
    response = await client.post("/orders", json=changed("/customer/tel", tel))

    assert (response.status_code, response.json()["customer"]["tel"]) == (201, tel)


@pytest.mark.parametrize(
    "reason",
    [
        *("payment_timeout", "sold_out", "store_closed", "store_full", "unknown_store"),
        *("machine_broken", "PAYMENT_TIMEOUT", " sold_out ", "\u200bsold_out\u3000"),
        "sold\u200b_out",
    ],
    ids=ascii,
)
async def test_a_code_of_others_is_no_reason_to_cancel(
    client: httpx.AsyncClient, reason: str
) -> None:
    order_id = await placed(client, UNPAID)

    response = await client.post(f"/orders/{order_id}/cancel", json={"reason": reason})

    assert refused(response) == ("reserved_reason", ["/reason"])
    assert (await client.get(f"/orders/{order_id}")).json()["order_status"] == "PLACED"


@pytest.mark.parametrize("reason", ["customer_request", "rain", "the store is sold out", "품절"])
async def test_a_customer_may_say_why(client: httpx.AsyncClient, reason: str) -> None:
    order_id = await placed(client, UNPAID)

    response = await client.post(f"/orders/{order_id}/cancel", json={"reason": reason})

    assert (response.status_code, response.json()["cancel_reason"]) == (200, reason)


@pytest.mark.parametrize("reason", ["sold_out", "store_closed", "store_full", "machine_broken"])
async def test_a_barista_may_give_the_store_s_own_codes(
    client: httpx.AsyncClient, reason: str
) -> None:
    response = await client.post(f"/pickups/{await placed(client)}/reject", json={"reason": reason})

    assert (response.status_code, response.json()["cancel_reason"]) == (200, reason)


@pytest.mark.parametrize("reason", ["payment_timeout", "customer_request", "Payment_Timeout"])
async def test_a_barista_does_not_speak_for_others(client: httpx.AsyncClient, reason: str) -> None:
    response = await client.post(f"/pickups/{await placed(client)}/reject", json={"reason": reason})

    assert refused(response) == ("reserved_reason", ["/reason"])


# --- JSON ---------------------------------------------------------------------------------------

TEXT = json.dumps(ORDER)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (TEXT.replace('"quantity": 2', '"quantity": 1, "quantity": 50'), "/items/0/quantity"),
        (TEXT.replace('"quantity": 2', '"quantity": 2, "quantit\\u0079": 2'), "/items/0/quantity"),
        (TEXT[:-1] + ', "store_id": "jeju"}', "/store_id"),
        (TEXT.replace('"id": "c-17"', '"id": "c-1", "id": "c-17"'), "/customer/id"),
        (TEXT.replace('"token"', '"token": "tok_decline", "token"'), "/payment/token"),
    ],
)
async def test_a_member_that_is_there_twice_is_named(
    client: httpx.AsyncClient, body: str, pointer: str
) -> None:
    response = await client.post("/orders", content=body)

    assert refused(response) == ("repeated_member", [pointer])


async def test_no_body_names_a_member_twice(client: httpx.AsyncClient) -> None:
    order_id = await placed(client, UNPAID)
    bodies = [
        ("POST", f"/orders/{order_id}/payment", '{"method":"card","token":"a","token":"b"}'),
        ("POST", f"/orders/{order_id}/cancel", '{"reason": "a", "reason": "b"}'),
        ("DELETE", f"/orders/{order_id}", '{"reason": "a", "reason": "a"}'),
        ("POST", f"/pickups/{order_id}/reject", '{"reason": "a", "reason": "b"}'),
        ("PATCH", "/stores/gangnam", '{"open": true, "open": false}'),
        ("PATCH", "/stores/gangnam/menu/latte", '{"price": 1, "price": 5000}'),
    ]
    for method, path, body in bodies:
        response = await client.request(method, path, content=body)
        code, (pointer,) = refused(response)
        assert (code, pointer[1:] in body) == ("repeated_member", True), path


@pytest.mark.parametrize("button", ["start", "ready", "complete"])
async def test_what_a_button_does_not_know_is_not_ignored(
    client: httpx.AsyncClient, button: str
) -> None:
    order_id = await placed(client, UNPAID)
    path = f"/pickups/{order_id}/{button}"

    for body, pointer in [('{"at": 1}', "/at"), ('{"at": 1, "at": 2}', "/at"), ("[]", "")]:
        assert refused(await client.post(path, content=body)) == ("invalid_request", [pointer])
    for nothing in ["", "{}"]:
        response = await client.post(path, content=nothing)
        assert (response.status_code, response.json()["code"]) == (409, "out_of_turn"), nothing


def quantity(json_text: str) -> str:
    return TEXT.replace('"quantity": 2', f'"quantity": {json_text}')


ODD: dict[str, str | bytes] = {
    "NaN": quantity("NaN"),
    "Infinity": quantity("-Infinity"),
    "a float": quantity("2.0"),
    "a text": quantity('"2"'),
    "true": quantity("true"),
    "null for a number": quantity("null"),
    "5,000 digits": quantity("9" * 5000),
    "20,000 brackets": quantity("[" * 20_000),
    "UTF-16": TEXT.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + TEXT.encode(),
    "no UTF-8": TEXT.encode() + b"\xff",
    "two values": TEXT + TEXT,
    "null": "null",
    "an array": "[]",
    "an array of it": f"[{TEXT}]",
    "brackets": "[" * (MAX_BODY - 1),
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
async def test_json_that_others_might_read_otherwise_is_refused(
    client: httpx.AsyncClient, body: str | bytes
) -> None:
    code, (pointer,) = refused(await client.post("/orders", content=body))

    assert (code, pointer in ("", "/items/0/quantity")) == ("invalid_request", True)


async def test_a_card_token_that_cannot_be_one_is_refused(client: httpx.AsyncClient) -> None:
    path = f"/orders/{await placed(client, UNPAID)}/payment"
    for token in ("", " ", "\u3164", "t" * 256):
        response = await client.post(path, json=CARD | {"token": token})
        assert refused(response) == ("invalid_request", ["/token"])
