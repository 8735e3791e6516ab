"""Tokens of an identity provider, whatever it publishes, and however it behaves."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from actors.contracts.errors import Unavailable
from actors.settings import Settings
from serve_app.backend import Backend
from serve_app.security import identity_provider, key_document
from serve_app.security.identity_provider import ProviderKeys
from tests.support.in_process import client_of
from tests.support.tokens import GOOD, SECRET, bearer

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ISSUER, AUDIENCE = "https://login.example.org", "siren"


class Provider(ThreadingHTTPServer):
    """Publishes the keys of `key_ids`, unless it has something else to say; counts the asking."""

    def __init__(self) -> None:
        self.key_ids = ["k1"]
        self.answer: tuple[int, bytes] | None = None
        self.asked: list[str] = []
        provider, published = self, json.loads(RSAAlgorithm.to_jwk(KEY.public_key()))

        class Keys(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                keys = [published | {"kid": kid, "use": "sig"} for kid in provider.key_ids]
                status, body = provider.answer or (200, json.dumps({"keys": keys}).encode())
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                with suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        super().__init__(("127.0.0.1", 0), Keys)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/keys"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
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


@pytest_asyncio.fixture(loop_scope="module")
async def with_provider(
    shared_siren: Backend, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway that trusts the provider, and knows no key of it yet."""
    shared = shared_siren.installation
    settings = Settings(
        data_dir=shared.settings.data_dir,
        auth="required",
        jwks_url=provider.url,
        jwks_issuer=ISSUER,
        jwks_audience=AUDIENCE,
    )
    monkeypatch.setattr(shared_siren, "installation", replace(shared, settings=settings))
    async with client_of(shared_siren, token_secret=SECRET) as client:
        yield client


async def test_a_provider_s_token_is_taken_beside_our_own(
    with_provider: httpx.AsyncClient, provider: Provider
) -> None:
    anna = (await with_provider.get("/session", headers=bearer(provided()))).json()
    assert (anna["subject"], anna["role"], anna["store_id"]) == ("anna", "staff", "jeju")
    own = await with_provider.get("/session", headers=GOOD["owner"])
    assert own.json()["role"] == "owner"
    assert provider.asked == ["/keys"]


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
    with_provider: httpx.AsyncClient, provider: Provider
) -> None:
    answers = [
        await with_provider.get("/session", headers=bearer(provided(kid=f"made-up-{number}")))
        for number in range(40)
    ]
    assert {answer.status_code for answer in answers} <= {401, 503}
    assert answers[0].status_code == 401
    assert len(provider.asked) < 20  # a few at once, and then one every some seconds


async def test_a_new_key_of_the_provider_is_taken_at_once(
    with_provider: httpx.AsyncClient, provider: Provider
) -> None:
    assert (await with_provider.get("/session", headers=bearer(provided()))).status_code == 200
    provider.key_ids = ["k1", "k2"]
    many = [with_provider.get("/session", headers=bearer(provided(kid="k2"))) for _ in range(10)]
    answers = await asyncio.gather(*many)
    assert [answer.status_code for answer in answers] == [200] * 10
    assert len(provider.asked) == 2  # all wait for one answer


NONSENSE: dict[str, tuple[int, bytes]] = {
    "a list": (200, b"[]"),
    "nothing in it": (200, b"{}"),
    "null": (200, b"null"),
    "keys are null": (200, b'{"keys": null}'),
    "keys are a number": (200, b'{"keys": 1}'),
    "no keys": (200, b'{"keys": []}'),
    "keys are numbers": (200, b'{"keys": [1, null]}'),
    "broken keys": (200, b'{"keys": [{"kty": "RSA", "kid": "k1", "n": "!", "e": []}]}'),
    "keys of no kind": (200, b'{"keys": [{"kty": "Nara", "kid": []}]}'),
    "not JSON": (200, b"<html>"),
    "nested": (200, b"[" * 100_000),
    "not UTF-8": (200, b"\xff\xfe\x00"),
    "empty": (200, b""),
    "huge": (200, b'{"keys": [' + b" " * 2**20 + b"]}"),
    "an error": (500, b"{}"),
    "away": (503, b""),
    "not found": (404, b"{}"),
    "no content": (204, b""),
    "moved": (302, b""),
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE.keys())
async def test_a_provider_that_answers_nonsense_counts_as_away(
    with_provider: httpx.AsyncClient, provider: Provider, answer: tuple[int, bytes]
) -> None:
    assert (await with_provider.get("/session", headers=bearer(provided()))).status_code == 200
    provider.answer = answer
    away = await with_provider.get("/session", headers=bearer(provided(kid="k2")))
    assert (away.status_code, away.json()["code"]) == (503, "identity_provider_unavailable")
    assert "/elsewhere" not in provider.asked
    known = bearer(provided(sub="berta"))  # a token that is new, under a key that is known
    assert (await with_provider.get("/session", headers=known)).json()["subject"] == "berta"
    assert (await with_provider.get("/session", headers=GOOD["owner"])).status_code == 200


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.0 200 OK\r\nContent-Le", b"HTTP/1.0 200 OK\r\n\r\n{"]
)
async def test_a_provider_that_hangs_counts_as_away(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_document, "TIMEOUT_S", 0.3)
    over = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        await over.wait()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        keys = ProviderKeys(f"http://127.0.0.1:{port}/keys", ISSUER, AUDIENCE)
        token = provided().encode()
        with pytest.raises(Unavailable):
            await keys.claims(token, jwt.get_unverified_header(token))
        over.set()


async def test_a_provider_that_never_ends_its_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(identity_provider, "PATIENCE_S", 0.5)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with suppress(OSError):
            for _ in range(30):  # a header that goes on and on
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.1)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        keys = ProviderKeys(f"http://127.0.0.1:{port}/keys", ISSUER, AUDIENCE)
        token = provided().encode()
        with pytest.raises(Unavailable):
            await keys.claims(token, jwt.get_unverified_header(token))


async def test_a_token_that_names_no_key_asks_nobody(
    with_provider: httpx.AsyncClient, provider: Provider
) -> None:
    nameless = jwt.encode({"sub": "x"}, KEY, "RS256")
    assert (await with_provider.get("/session", headers=bearer(nameless))).status_code == 401
    assert provider.asked == []


async def test_a_key_that_is_known_needs_no_provider(
    with_provider: httpx.AsyncClient, provider: Provider
) -> None:
    assert (await with_provider.get("/session", headers=bearer(provided()))).status_code == 200
    provider.shutdown()
    provider.server_close()
    for token, status in ((provided(kid="made-up"), 503), (provided(sub="berta"), 200)):
        answer = await with_provider.get("/session", headers=bearer(token))
        assert answer.status_code == status


async def test_without_the_provider_its_tokens_wait_and_ours_go_on(
    with_provider: httpx.AsyncClient, provider: Provider
) -> None:
    provider.shutdown()
    provider.server_close()
    for _ in range(2):
        waiting = await with_provider.get("/session", headers=bearer(provided()))
        assert (waiting.status_code, waiting.headers["retry-after"]) == (503, "1")
        assert "127.0.0.1" not in waiting.text
    assert (await with_provider.get("/session", headers=GOOD["owner"])).status_code == 200
