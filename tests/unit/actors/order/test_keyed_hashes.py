"""Keyed hashes: the journal keeps them for ever, and a repeat is known by them."""

import hmac

import pytest

from actors.installation import Installation
from actors.order.ids import hash_key
from actors.settings import Settings


@pytest.mark.parametrize("secret", [b"", b"short", b"s" * 64, b"s" * 65, b"s" * 200])
@pytest.mark.parametrize("data", [b"", b"an order", b"x" * 10_000])
def test_a_keyed_hash_is_hmac_with_sha_256(secret: bytes, data: bytes) -> None:
    expected = hmac.digest(secret, data, "sha256").hex()
    assert Installation(Settings(), secret, 1).digest(data) == expected


def test_the_hash_of_a_key_is_the_one_that_journals_have() -> None:
    order_id = "0" * 11 + "a" * 24
    assert (
        hash_key(b"s" * 32, order_id, "my-key")
        == (hmac.digest(b"s" * 32, b"key " + b"a" * 24 + b" my-key", "sha256").hex()[:32])
    )
    assert hash_key(b"s" * 32, order_id, "") == ""
