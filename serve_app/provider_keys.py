"""Tokens of an identity provider, checked with the public keys that it publishes (JWKS)."""

import asyncio
import time
from typing import Any

import jwt

from actors.domain.errors import Unavailable

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
TIMEOUT_S = 5.0
KEYS_LIFE_S = 3600.0
"""A provider may be down for so long before known keys are forgotten; new ones come at once."""
PAUSE_S = 5.0
"""After a failure nobody asks for so long: strangers' tokens must not hammer the provider."""
UNAVAILABLE = (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError, OSError, ValueError)
"""It is away, hangs up in the middle, or answers with what is no key set."""
LEEWAY_S = 10.0
"""How far the provider's clock may be ahead."""


class ProviderKeys:
    """The keys of one provider, fetched when a token needs them."""

    def __init__(self, url: str, issuer: str, audience: str) -> None:
        self._client = jwt.PyJWKClient(url, lifespan=KEYS_LIFE_S, timeout=TIMEOUT_S)
        self._issuer = issuer
        self._audience = audience
        self._fetching = asyncio.Lock()
        self._failed_until = 0.0

    def takes(self, header: dict[str, Any]) -> bool:
        """Return whether a token with this header can only be the provider's."""
        return header.get("alg") in ALGORITHMS

    async def claims(self, token: bytes, header: dict[str, Any]) -> dict[str, Any]:
        """Return what a token says.

        Raises PyJWT's errors where it is not valid, and `Unavailable` where no key can be fetched.
        """
        key = await self._key(str(header.get("kid")))
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

    async def _key(self, key_id: str) -> jwt.PyJWK:
        # Before anything can be in the way: a key that is here needs no provider.
        if (known := self._known(key_id)) is not None:
            return known
        # The client holds a lock while it fetches: one thread at a time, or they would all wait.
        async with self._fetching:
            if time.monotonic() < self._failed_until:
                raise Unavailable("identity_provider_unavailable", "its keys cannot be fetched")
            try:
                return await asyncio.to_thread(self._client.get_signing_key, key_id)
            except UNAVAILABLE as error:
                self._failed_until = time.monotonic() + PAUSE_S
                raise Unavailable("identity_provider_unavailable", str(error)) from error

    def _known(self, key_id: str) -> jwt.PyJWK | None:
        cache = self._client.jwk_set_cache
        if cache is None or cache.get() is None:
            return None
        return self._client.match_kid(self._client.get_signing_keys(), key_id)
