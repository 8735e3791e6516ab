"""Guests, and what a token's life means."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.settings import Settings
from serve_app.contract.identity import Identity, Role
from serve_app.security import tokens
from serve_app.security.tokens import InvalidToken, Tokens
from tests.support.http_contract import ORDER
from tests.support.in_process import client_of, in_process
from tests.support.tokens import CALLERS, GOOD, HOUR, SECRET, bearer, token_of


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(data_dir=tmp_path, auth="required", rate_limit="50/hour")
    async with in_process(settings) as siren, client_of(siren, token_secret=SECRET) as client:
        yield client


async def test_a_guest_orders_sees_it_and_stays_the_same_when_renewed(
    client: httpx.AsyncClient,
) -> None:
    begun = await client.post("/session")
    guest = begun.json()
    assert begun.status_code == 201
    assert guest["subject"].startswith("guest-")
    assert (guest["role"], guest["store_id"]) == ("customer", None)
    life = datetime.fromisoformat(guest["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=1) < life <= tokens.GUEST_LIFE

    mine = ORDER | {"customer": ORDER["customer"] | {"id": guest["subject"]}}
    placed = await client.post("/orders", json=mine, headers=bearer(guest["token"]))
    assert placed.status_code == 201
    renewed = (await client.post("/session", headers=bearer(guest["token"]))).json()
    assert renewed["subject"] == guest["subject"]
    path = placed.headers["location"]
    assert (await client.get(path, headers=bearer(renewed["token"]))).status_code == 200
    stranger = (await client.post("/session")).json()
    assert stranger["subject"] != guest["subject"]
    assert (await client.get(path, headers=bearer(stranger["token"]))).status_code == 404


async def test_only_guests_are_renewed(client: httpx.AsyncClient) -> None:
    """A token of staff, which ends with the shift, must not become one without an end."""
    for caller in ("staff", "owner", "service"):
        begun = (await client.post("/session", headers=GOOD[caller])).json()
        assert begun["subject"].startswith("guest-")
        assert begun["role"] == "customer"
    expired = bearer(token_of(CALLERS["customer"], -HOUR))
    assert (await client.post("/session", headers=expired)).status_code == 401


async def test_a_session_tells_who_a_token_is_for(client: httpx.AsyncClient) -> None:
    nobody = (await client.get("/session")).json()
    staff = (await client.get("/session", headers=GOOD["staff"])).json()
    assert nobody == {
        "authentication": "required",
        **dict.fromkeys(("subject", "role", "store_id", "expires_at")),
    }
    expires = datetime.fromisoformat(staff.pop("expires_at"))
    assert timedelta() < expires - datetime.now(UTC) <= HOUR
    assert staff == {
        "authentication": "required",
        "subject": "staff-gangnam",
        "role": "staff",
        "store_id": "gangnam",
    }


async def test_more_than_the_limit_is_refused_to_that_subject_alone(
    client: httpx.AsyncClient,
) -> None:
    statuses = [
        (await client.get("/stores", headers=GOOD["customer"])).status_code for _ in range(51)
    ]
    assert statuses == [200] * 50 + [429]
    refused = await client.get("/stores", headers=GOOD["customer"])
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "too_many_requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 3600
    assert (await client.get("/stores", headers=GOOD["other customer"])).status_code == 200
    services = [(await client.get("/stores", headers=GOOD["service"])) for _ in range(60)]
    assert {answer.status_code for answer in services} == {200}


# --- verified tokens ----------------------------------------------------------------------------


async def test_a_verified_token_still_ends_when_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Tokens(SECRET)
    token = token_of(CALLERS["customer"]).encode()
    identity = await known.identity(token)
    assert await known.identity(token) is identity  # from memory, without a look at its signature

    assert identity.expires_at is not None
    end = float(identity.expires_at)
    monkeypatch.setattr("jwt.api_jwt.datetime", _Clock(end))
    monkeypatch.setattr("serve_app.security.tokens.time.time", lambda: end)
    with pytest.raises(InvalidToken, match="expired"):
        await known.identity(token)


async def test_memory_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "CACHED_TOKENS", 3)
    known = Tokens(SECRET)
    for number in range(10):
        await known.identity(token_of(Identity(f"c-{number}", Role.CUSTOMER)).encode())
    assert len(known._verified) == 3


class _Clock:
    """Stands in for `datetime` where PyJWT asks for now."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self, tz: Any = None) -> datetime:
        return datetime.fromtimestamp(self._now, tz)
