"""Codes for why an order was cancelled: what the system knows stays, what people write does not."""

import re

import pytest

from actors.order.domain.reasons import (
    CUSTOMER_REQUEST,
    OWNER_REQUEST,
    PAYMENT_TIMEOUT,
    STORE_CODES,
    code_of,
)
from serve_app.assets import texts
from tests.support.system import ROOT

BOARD = ROOT / "serve_app" / "static" / "board.js"


@pytest.mark.parametrize("code", sorted(STORE_CODES))
def test_a_code_of_the_store_is_its_own_code(code: str) -> None:
    assert code_of(code, "store") == code


@pytest.mark.parametrize(
    ("reason", "by", "code"),
    [
        ("rain", "customer", "customer_request"),
        ("payment_timeout", "customer", "customer_request"),
        ("sold_out", "customer", "customer_request"),
        ("Nara was rude", "store", "store_rejected"),
        ("payment_timeout", "store", "store_rejected"),
        ("payment_timeout", "system", "payment_timeout"),
        ("the store burnt down", "owner", "owner_request"),
        ("sold_out", "owner", "owner_request"),
    ],
)
def test_what_somebody_wrote_becomes_the_code_of_who_cancelled(
    reason: str, by: str, code: str
) -> None:
    assert code_of(reason, by) == code


def test_the_owner_may_pass_on_what_a_customer_asked_for() -> None:
    assert code_of("customer_request", "owner") == "customer_request"


def test_what_is_shown_in_other_words_are_codes_and_nothing_that_somebody_may_write() -> None:
    shown = {key.partition(".")[2] for key in texts("en") if key.startswith("reason.")}
    assert shown == STORE_CODES | {CUSTOMER_REQUEST, OWNER_REQUEST, PAYMENT_TIMEOUT}


def test_what_the_board_offers_are_codes() -> None:
    (offered,) = re.findall(r"const REASONS = \[(.*?)\];", BOARD.read_text("utf-8"))
    assert set(re.findall(r'"(\w+)"', offered)) - {"other"} <= STORE_CODES
