"""Tokens of an identity provider, checked with the public keys that it publishes (JWKS)."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt

from actors.contracts.errors import Unavailable
from serve_app.security.key_document import fetch

ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)
REQUIRED = ["sub", "iss", "aud", "iat", "exp"]
KEYS_LIFE_S = 3600.0
"""A provider may be down for so long before known keys are forgotten; new ones come at once."""
PAUSE_S = 5.0
"""After a failure nobody asks for so long: strangers' tokens must not hammer the provider."""
BURST = 5
"""How often unknown keys may be asked for in a row; then once in `REFILL_S`."""
REFILL_S = 5.0
PATIENCE_S = 6.0
"""How long an answer is waited for, whatever it does."""
LEEWAY_S = 10.0
"""How far the provider's clock may be ahead."""


class ProviderKeys:
    """The keys of one provider, fetched when a token needs them.

    A key that is not known is asked for at once, by one request for all who wait. What strangers
    can cause is bounded: `BURST` requests, and one more every `REFILL_S`.
    """

    def __init__(self, url: str, issuer: str, audience: str) -> None:
        self._url = url
        self._issuer = issuer
        self._audience = audience
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at = -KEYS_LIFE_S
        self._fetching = asyncio.Lock()
        # Its own: a provider that never ends its answer keeps no other work from a thread.
        self._thread = ThreadPoolExecutor(1, "provider-keys")
        self._failed_until = 0.0
        self._allowed, self._counted_at = float(BURST), time.monotonic()

    def takes(self, header: dict[str, Any]) -> bool:
        """Return whether a token with this header can only be the provider's."""
        return header.get("alg") in ALGORITHMS

    async def claims(self, token: bytes, header: dict[str, Any]) -> dict[str, Any]:
        """Return what a token says.

        Raises PyJWT's errors where it is not valid, and `Unavailable` where no key can be fetched.
        """
        key = await self._key(header.get("kid"))
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            list(ALGORITHMS),
            issuer=self._issuer,
            audience=self._audience,
            leeway=LEEWAY_S,
            options={"require": REQUIRED},
        )
        return claims

    async def _key(self, key_id: object) -> jwt.PyJWK:
        if not isinstance(key_id, str) or not key_id:
            raise jwt.InvalidKeyError("the token names no key")
        asked_at = time.monotonic()
        # Before anything can be in the way: a key that is here needs no provider.
        if (known := self._known(key_id)) is not None:
            return known
        async with self._fetching:
            if self._known(key_id) is None and self._fetched_at < asked_at:
                await self._refresh()
        if (known := self._known(key_id)) is None:
            raise jwt.InvalidKeyError("the provider has no such key")
        return known

    def _known(self, key_id: str) -> jwt.PyJWK | None:
        fresh = time.monotonic() - self._fetched_at < KEYS_LIFE_S
        return self._keys.get(key_id) if fresh else None

    async def _refresh(self) -> None:
        """Fetch the keys; those that are known stay where that fails."""
        now = time.monotonic()
        if now < self._failed_until or not self._may_ask(now):
            raise Unavailable("identity_provider_unavailable", "its keys cannot be fetched now")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(PATIENCE_S):
                document = await loop.run_in_executor(self._thread, fetch, self._url)
            found = jwt.PyJWKSet.from_dict(json.loads(document)).keys
        except Exception as error:  # it is away, too slow, or answers with what is no key set
            self._failed_until = time.monotonic() + PAUSE_S
            raise Unavailable("identity_provider_unavailable", type(error).__name__) from error
        self._keys = {
            str(key.key_id): key
            for key in found
            if key.key_id and key.public_key_use in ("sig", None)
        }
        self._fetched_at = now

    def _may_ask(self, now: float) -> bool:
        refilled = self._allowed + (now - self._counted_at) / REFILL_S
        self._allowed, self._counted_at = min(float(BURST), refilled), now
        if self._allowed < 1:
            return False
        self._allowed -= 1
        return True
