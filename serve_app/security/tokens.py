"""Tokens: issued with the installation's secret, verified with it or with a provider's keys.

The header's algorithm only chooses between the two. Each then takes its own algorithms and no
others, so that neither `none` nor a public key taken for a secret gets anywhere.
"""

import secrets
import time
from datetime import timedelta
from typing import Any

import jwt

from actors.contracts.texts import reads_as_empty
from serve_app.contract.identity import Identity, Role
from serve_app.security.identity_provider import ProviderKeys

ISSUER = "siren-order"
ALGORITHM = "HS256"
GUEST_LIFE = timedelta(hours=24)
GUEST = "guest-"
MAX_TOKEN = 8 * 1024
MAX_SUBJECT = 64
"""As long as a customer's id may be."""
LAST_SECOND = 253_402_300_799
"""The end of the year 9999: no date lies behind it."""
REQUIRED = ["sub", "iss", "iat", "exp"]
CACHED_TOKENS = 10_000
CACHED_S = 300.0
"""How long a verified token is believed without another look at its signature."""


class InvalidToken(Exception):
    """The token proves nothing; its text says why, and quotes nothing of it."""


def issue(secret: bytes, identity: Identity, life: timedelta) -> tuple[str, int]:
    """Return a token for somebody, and the second since 1970 at which it expires."""
    now = int(time.time())
    expires_at = now + int(life.total_seconds())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "sub": identity.subject,
        "role": identity.role.value,
        "iat": now,
        "exp": expires_at,
    }
    if identity.store_id is not None:
        claims["store"] = identity.store_id
    return jwt.encode(claims, secret, ALGORITHM), expires_at


def new_guest() -> Identity:
    """Return a walk-in customer whom nobody can guess."""
    return Identity(GUEST + secrets.token_hex(16), Role.CUSTOMER, guest=True)


class Tokens:
    """Verifies tokens, and remembers for a while those that were good."""

    def __init__(self, secret: bytes, provider: ProviderKeys | None = None) -> None:
        self.secret = secret
        self._provider = provider
        self._verified: dict[bytes, tuple[float, Identity]] = {}

    async def identity(self, token: bytes) -> Identity:
        """Return whose token it is.

        Raises `InvalidToken`, or `Unavailable` where the provider's keys cannot be had.
        """
        looked_at = time.monotonic()
        known = self._verified.get(token)
        if known is not None and looked_at < known[0] and not _has_expired(known[1]):
            return known[1]
        self._verified.pop(token, None)
        identity = await self._verify(token)
        if _has_expired(identity):  # within the leeway that clocks are given
            raise InvalidToken("The token has expired.")
        if len(self._verified) >= CACHED_TOKENS:
            del self._verified[next(iter(self._verified))]
        self._verified[token] = (looked_at + CACHED_S, identity)
        return identity

    async def _verify(self, token: bytes) -> Identity:
        if len(token) > MAX_TOKEN:
            raise InvalidToken("The token is too long.")
        try:
            header = jwt.get_unverified_header(token)
            if self._provider is not None and self._provider.takes(header):
                return _identity(await self._provider.claims(token, header), local=False)
            claims = jwt.decode(
                token,
                self.secret,
                [ALGORITHM],
                issuer=ISSUER,
                options={"require": REQUIRED, "verify_aud": False},
            )
        except jwt.ExpiredSignatureError as error:
            raise InvalidToken("The token has expired.") from error
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise InvalidToken("The token is not valid.") from error
        return _identity(claims, local=True)


def _has_expired(identity: Identity) -> bool:
    assert identity.expires_at is not None
    return identity.expires_at <= time.time()


def _identity(claims: dict[str, Any], *, local: bool) -> Identity:
    subject, store_id = claims["sub"], claims.get("store")
    try:
        role = Role(str(claims.get("role")))
    except ValueError as error:
        raise InvalidToken("The token has no role that is known here.") from error
    if not is_name(subject):
        raise InvalidToken(f"The token's subject must have 1 to {MAX_SUBJECT} characters.")
    if role is not Role.STAFF:
        store_id = None
    elif not isinstance(store_id, str) or not is_name(store_id):
        raise InvalidToken("The token of staff must name its store.")
    guest = local and role is Role.CUSTOMER and subject.startswith(GUEST)
    return Identity(subject, role, store_id, min(int(claims["exp"]), LAST_SECOND), guest)


def is_name(text: str) -> bool:
    """Return whether a text may name a subject or a store in a token."""
    return 1 <= len(text) <= MAX_SUBJECT and text.isprintable() and not reads_as_empty(text)
