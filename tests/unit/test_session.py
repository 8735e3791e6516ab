"""Guests, and what a token's life and a provider's keys mean."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from actors.domain.errors import Unavailable
from actors.settings import Settings
from serve_app import tokens
from serve_app.app import build_app
from serve_app.identity import Identity, Role
from serve_app.provider_keys import ProviderKeys
from serve_app.tokens import InvalidToken, Tokens
from tests.http_contract import ORDER
from tests.in_process import in_process
from tests.tokens import CALLERS, GOOD, HOUR, SECRET, bearer, token_of

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ISSUER, AUDIENCE = "https://login.example.org", "siren"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(data_dir=tmp_path, auth="required", rate_limit="50/hour")
    async with in_process(settings) as siren:
        app = build_app(siren, max_in_flight=100, token_secret=SECRET)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://siren") as client:
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
    monkeypatch.setattr("serve_app.tokens.time.time", lambda: end)
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


# --- an identity provider -----------------------------------------------------------------------


@pytest.fixture
def provider() -> Iterator[tuple[ThreadingHTTPServer, list[str]]]:
    """A provider that publishes one key, and the paths it was asked for."""
    asked: list[str] = []
    key = json.loads(RSAAlgorithm.to_jwk(KEY.public_key())) | {"kid": "k1", "use": "sig"}

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"keys": [key]}).encode())

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server, asked
        server.shutdown()


def provided(key: Any = KEY, algorithm: str = "RS256", kid: str = "k1", **changes: Any) -> str:
    """Return a token of the provider's, with something changed."""
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "anna",
        "role": "staff",
        "store": "jeju",
        "iat": now,
        "exp": now + 600,
        **changes,
    }
    return jwt.encode(claims, key, algorithm, headers={"kid": kid})


@pytest.fixture
async def with_provider(
    tmp_path: Path, provider: tuple[ThreadingHTTPServer, list[str]]
) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(
        data_dir=tmp_path,
        auth="required",
        jwks_url=f"http://127.0.0.1:{provider[0].server_port}/keys",
        jwks_issuer=ISSUER,
        jwks_audience=AUDIENCE,
    )
    async with in_process(settings) as siren:
        transport = httpx.ASGITransport(build_app(siren, 100, SECRET))
        async with httpx.AsyncClient(transport=transport, base_url="http://siren") as client:
            yield client


async def test_a_provider_s_token_is_taken_beside_our_own(
    with_provider: httpx.AsyncClient, provider: tuple[ThreadingHTTPServer, list[str]]
) -> None:
    anna = (await with_provider.get("/session", headers=bearer(provided()))).json()
    assert (anna["subject"], anna["role"], anna["store_id"]) == ("anna", "staff", "jeju")
    own = await with_provider.get("/session", headers=GOOD["owner"])
    assert own.json()["role"] == "owner"
    assert provider[1] == ["/keys"]


async def test_a_provider_s_customer_is_no_guest_of_ours(with_provider: httpx.AsyncClient) -> None:
    theirs = bearer(provided(sub="guest-theirs", role="customer"))
    begun = (await with_provider.post("/session", headers=theirs)).json()
    assert begun["subject"] != "guest-theirs"


OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def signed_by_hand(key: bytes) -> str:
    """Return a token whose HMAC takes a public key for a secret; PyJWT refuses to make one."""
    payload = provided().split(".")[1].encode()
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT","kid":"k1"}').rstrip(b"=")
    signed = header + b"." + payload
    mac = base64.urlsafe_b64encode(hmac.digest(key, signed, "sha256")).rstrip(b"=")
    return (signed + b"." + mac).decode()


@pytest.mark.parametrize(
    "token",
    [
        provided(OTHER_KEY),
        provided(kid="k2"),
        provided(aud="another application"),
        provided(iss="https://evil.example"),
        provided(exp=1),
        signed_by_hand(PUBLIC),
        provided(SECRET, "HS256"),
        provided("", "none"),
    ],
)
async def test_a_provider_s_token_that_is_not_valid_is_refused(
    with_provider: httpx.AsyncClient, token: str
) -> None:
    assert (await with_provider.get("/session", headers=bearer(token))).status_code == 401


async def test_strangers_tokens_do_not_hammer_the_provider(
    with_provider: httpx.AsyncClient, provider: tuple[ThreadingHTTPServer, list[str]]
) -> None:
    for number in range(20):
        await with_provider.get("/session", headers=bearer(provided(kid=f"made-up-{number}")))
    assert len(provider[1]) == 1


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.0 200 OK\r\n\r\n<html>", b'HTTP/1.0 200 OK\r\n\r\n{"keys":1}']
)
async def test_a_provider_that_answers_nonsense_counts_as_away(answer: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        keys = ProviderKeys(f"http://127.0.0.1:{port}/keys", ISSUER, AUDIENCE)
        token = provided().encode()
        with pytest.raises(Unavailable):
            await keys.claims(token, jwt.get_unverified_header(token))


async def test_a_key_that_is_known_needs_no_provider(
    provider: tuple[ThreadingHTTPServer, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, asked = provider
    keys = ProviderKeys(f"http://127.0.0.1:{server.server_port}/keys", ISSUER, AUDIENCE)
    monkeypatch.setattr(keys._client, "cooldown_duration", 0)
    known, unknown = provided().encode(), provided(kid="made-up").encode()
    await keys.claims(known, jwt.get_unverified_header(known))
    server.shutdown()
    server.server_close()
    with pytest.raises(Unavailable):
        await keys.claims(unknown, jwt.get_unverified_header(unknown))
    assert (await keys.claims(known, jwt.get_unverified_header(known)))["sub"] == "anna"
    assert asked == ["/keys"]


async def test_without_the_provider_its_tokens_wait_and_ours_go_on(
    with_provider: httpx.AsyncClient, provider: tuple[ThreadingHTTPServer, list[str]]
) -> None:
    provider[0].shutdown()
    provider[0].server_close()
    for _ in range(2):
        waiting = await with_provider.get("/session", headers=bearer(provided()))
        assert (waiting.status_code, waiting.headers["retry-after"]) == (503, "1")
        assert "127.0.0.1" not in waiting.text
    assert (await with_provider.get("/session", headers=GOOD["owner"])).status_code == 200
