"""Callers of every kind, and tokens that are wrong in every way."""

from datetime import timedelta
from typing import Any

import jwt

from serve_app.contract.identity import Identity, Role
from serve_app.security.tokens import issue

SECRET = b"the secret of the tests, 32 bytes"
HOUR = timedelta(hours=1)


def token_of(identity: Identity, life: timedelta = HOUR) -> str:
    """Return a good token, or one that has expired where `life` is negative."""
    return issue(SECRET, identity, life)[0]


def bearer(token: str) -> dict[str, str]:
    """Return the header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


MINE = Identity("guest-mine", Role.CUSTOMER)
CALLERS = {
    "customer": MINE,
    "other customer": Identity("guest-other", Role.CUSTOMER),
    "staff": Identity("staff-gangnam", Role.STAFF, "gangnam"),
    "other staff": Identity("staff-pangyo", Role.STAFF, "pangyo"),
    "owner": Identity("boss", Role.OWNER),
    "service": Identity("driver", Role.SERVICE),
}
GOOD = {name: bearer(token_of(identity)) for name, identity in CALLERS.items()}


def forged(key: bytes | str = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    """Return a token of an owner with something changed; a claim that is None is left out."""
    claims = jwt.decode(token_of(CALLERS["owner"]), options={"verify_signature": False}) | changes
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(given, key, algorithm)


BAD = {
    "no token": {},
    "not a token": bearer("nonsense"),
    "empty token": bearer(""),
    "another scheme": {"Authorization": "Basic Ym9zczpib3Nz"},
    "expired": bearer(token_of(CALLERS["owner"], -HOUR)),
    "wrong signature": bearer(forged(b"another secret of at least 32 bytes")),
    "changed after signing": bearer(
        ".".join((forged().split(".")[0], forged(sub="x").split(".")[1], forged().split(".")[2]))
    ),
    "no algorithm": bearer(forged("", "none")),
    "another algorithm": bearer(forged(SECRET * 2, "HS512")),
    "wrong issuer": bearer(forged(iss="somebody-else")),
    "no issuer": bearer(forged(iss=None)),
    "no expiry": bearer(forged(exp=None)),
    "made in the future": bearer(forged(iat=4_000_000_000)),
    "no role": bearer(forged(role=None)),
    "unknown role": bearer(forged(role="root")),
    "role of another type": bearer(forged(role=["owner"])),
    "staff of no store": bearer(forged(role="staff")),
    "no subject": bearer(forged(sub=None)),
    "subject too long": bearer(forged(sub="x" * 65)),
    "far too long": bearer("e30." * 4000),
    "nested header": bearer("W1tb" * 2000 + ".e30.e30"),
}
