"""What every request has to pass: who is it, may it call this, and is it not too much."""

from fastapi import Request
from starlette.types import Scope

from actors.settings import Settings
from serve_app.contract.identity import OWNER, Identity, Role
from serve_app.contract.problem_types import (
    NO_TOKEN,
    NOT_KNOWN_TO_BE_THE_OWNER,
    TOKEN_NOT_VALID,
    WRONG_ROLE,
    ProblemType,
)
from serve_app.contract.problems import Refused, problem
from serve_app.middleware.concurrency_limits import current
from serve_app.security.identity_provider import ProviderKeys
from serve_app.security.loopback_owner import OwnerMode
from serve_app.security.rate_limit import RateLimit
from serve_app.security.tokens import InvalidToken, Tokens


class Gate:
    """Decides who a request is, and whether it goes on. One a replica."""

    def __init__(self, settings: Settings, secret: bytes) -> None:
        self.tokens = Tokens(secret, _provider(settings))
        self.owner_mode = OwnerMode(settings.host) if settings.owner_mode else None
        self._limit = None if settings.owner_mode else RateLimit(settings.rate_limit)

    def reconfigure(self, now: Settings) -> None:
        """Go on with another rate limit; where it is another, everybody begins anew."""
        if self._limit is not None and self._limit.limit != now.rate_limit:
            self._limit = RateLimit(now.rate_limit)

    async def identify(self, scope: Scope) -> Identity | None:
        """Return who calls, None where nothing says so.

        Raises `Refused` (401) for a token that is not valid: whoever sends one means it.
        """
        credentials = [value for name, value in scope["headers"] if name == b"authorization"]
        if credentials:
            return await self._holder(credentials)
        if self.owner_mode is not None and self.owner_mode.admits(scope):
            return OWNER
        return None

    async def admit(self, request: Request, roles: frozenset[Role]) -> None:
        """Let a request on whose role is one of `roles`; `caller` then tells who it is.

        Raises `Refused`: 401, then 403, then 429.
        """
        identity = await self.identify(request.scope)
        if identity is None:
            raise Refused(problem(self._who_are_you(request.scope)))
        request.scope["identity"] = identity
        if identity.role not in roles:
            raise Refused(problem(WRONG_ROLE.filled(role=identity.role)))
        place = current()
        if place is not None:
            place.belong_to(identity)
        # A service acts for many: it is trusted with its own pace.
        if self._limit is not None and identity.role is not Role.SERVICE:
            self._limit.count(identity)

    def _who_are_you(self, scope: Scope) -> ProblemType:
        objection = self.owner_mode and self.owner_mode.objection(scope)
        return NOT_KNOWN_TO_BE_THE_OWNER.filled(why=objection) if objection else NO_TOKEN

    async def _holder(self, credentials: list[bytes]) -> Identity:
        scheme, _, token = credentials[0].strip().partition(b" ")
        if len(credentials) > 1 or scheme.lower() != b"bearer":
            raise Refused(problem(NO_TOKEN))
        try:
            return await self.tokens.identity(token.strip())
        except InvalidToken as error:
            raise Refused(problem(TOKEN_NOT_VALID.filled(why=error))) from error


def caller(request: Request) -> Identity:
    """Return who was let in."""
    identity: Identity = request.scope["identity"]
    return identity


def gate_of(request: Request) -> Gate:
    """Return the gate that the application was built with."""
    gate: Gate = request.app.state.gate
    return gate


def _provider(settings: Settings) -> ProviderKeys | None:
    if settings.jwks_url is None:
        return None
    assert settings.jwks_issuer is not None
    assert settings.jwks_audience is not None
    return ProviderKeys(settings.jwks_url, settings.jwks_issuer, settings.jwks_audience)
