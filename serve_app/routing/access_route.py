"""Which roles may call a route: declared once, enforced before it runs, and shown in OpenAPI."""

import inspect
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from serve_app.contract.identity import Role
from serve_app.contract.negotiation import accepts, coding, refuses_identity
from serve_app.contract.openapi import (
    NOT_CHANGED,
    SECURITY_SCHEME,
    Responses,
    problem_answer,
    problems,
    query_names,
)
from serve_app.contract.problem_types import not_acceptable
from serve_app.contract.problems import Refused, problem
from serve_app.contract.requests import check_query
from serve_app.middleware.compression import sent_shorter
from serve_app.routing.preconditions import SAFE, check_preconditions, check_tags, is_conditional
from serve_app.security.authentication import gate_of

CUSTOMER, STAFF, OWNER, SERVICE = Role.CUSTOMER, Role.STAFF, Role.OWNER, Role.SERVICE
EVERYBODY = tuple(Role)
STREAM = "text/event-stream"
"""Sent as it is: what is compressed waits for more to come."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handler = Callable[[Request], Coroutine[Any, Any, Response]]

_allowed: dict[Callable[..., Any], frozenset[Role]] = {}


def allow(*roles: Role) -> Callable[[Endpoint], Endpoint]:
    """Say which roles may call an endpoint; stands below the router's own decorator."""

    def declare(endpoint: Endpoint) -> Endpoint:
        _allowed[endpoint] = frozenset(roles)
        return endpoint

    return declare


class _DocumentedRoute(APIRoute):
    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        roles: list[str],
        security: list[dict[str, list[str]]],
        **options: Any,
    ) -> None:
        told = inspect.cleandoc(endpoint.__doc__ or "")
        described = {
            "operation_id": endpoint.__name__,
            "openapi_extra": (options.get("openapi_extra") or {})
            | {"security": security, "x-roles": roles},
            "description": f"{told}\n\nRoles: {', '.join(roles)}.",
        }
        options["responses"] = _refusals(options) | (options.get("responses") or {})
        super().__init__(path, endpoint, **options | described)
        self.methods = set(self.methods or ())
        if "GET" in self.methods:
            self.methods.add("HEAD")
        self.answered_as = _media_type(options)
        self.parameters = query_names(self)
        self._start = path.partition("{")[0]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether a request is for this route.

        Routes are tried in turn: those whose path begins in another way are told without looking
        at the whole path, which takes 5 µs each.
        """
        if not scope.get("root_path") and not scope["path"].startswith(self._start):
            return Match.NONE, {}
        return super().matches(scope)

    def check(self, request: Request) -> None:
        """Raise `Refused` (406) or `Invalid` where the request asks for what this cannot give."""
        streamed = self.answered_as == STREAM
        uncodable = refuses_identity if streamed else _takes_no_coding
        if not accepts(request.scope, (self.answered_as,)) or uncodable(request.scope):
            raise Refused(problem(not_acceptable(self.answered_as, coded=not streamed)))
        check_query(request, self.parameters)

    async def answer(self, request: Request, handler: Handler) -> Response:
        """Return what a handler answers, unless a precondition is not met."""
        if not is_conditional(request.scope):
            return await handler(request)
        if request.method not in SAFE or self.answered_as == STREAM:  # what has begun goes on
            await check_preconditions(request)
        response = await handler(request)
        if response.status_code < HTTPStatus.BAD_REQUEST:
            check_tags(request.scope)
        return response


class PublicRoute(_DocumentedRoute):
    """A route for anybody, with or without a token: health, session."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, ["anybody"], [], **options)

    def get_route_handler(self) -> Handler:
        """Return what Starlette calls."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            self.check(request)
            return sent_shorter(request.scope, await self.answer(request, handler))

        return handle


class PageRoute(_DocumentedRoute):
    """A page or a file of it, for anybody.

    It settles by itself what its browser takes, and whoever shares its address may add to the
    query: other sites do that to links.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, ["anybody"], [], **options)

    def get_route_handler(self) -> Handler:
        """Return what Starlette calls."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await self.answer(request, handler)

        return handle


class AccessRoute(_DocumentedRoute):
    """A route for the roles that `allow` named. One without them cannot be made."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if endpoint not in _allowed:
            raise TypeError(f"{endpoint.__name__} does not say who may call it: @allow(...)")
        self.roles = _allowed[endpoint]
        named = [role.value for role in Role if role in self.roles]
        unread: Responses = {}
        if "GET" in (options.get("methods") or ()) and _media_type(options) != STREAM:
            unread = {304: NOT_CHANGED}
        responses = options.get("responses") or {}
        options["responses"] = {**responses, **unread, **problems(401, 403, 429)}
        super().__init__(path, endpoint, named, [{SECURITY_SCHEME: []}], **options)

    def get_route_handler(self) -> Handler:
        """Return what Starlette calls: the gate first, so that a refusal says nothing else."""
        roles, handler = self.roles, self.admitted_handler()

        async def handle(request: Request) -> Response:
            await gate_of(request).admit(request, roles)
            self.check(request)
            return sent_shorter(request.scope, await self.answer(request, handler))

        return handle

    def admitted_handler(self) -> Handler:
        """Return what runs once a request is let in."""
        return super().get_route_handler()


def _refusals(options: dict[str, Any]) -> Responses:
    """Describe what every route refuses, a body that nobody asked for included."""
    reads_body = "requestBody" in (options.get("openapi_extra") or {})
    media_type = _media_type(options)
    kind = not_acceptable(media_type, coded=media_type != STREAM)
    return {
        **problems(400, 408, 412, 413, *((415,) if reads_body else ()), 422),
        406: problem_answer(406, kind),
    }


def _takes_no_coding(scope: Scope) -> bool:
    return coding(scope) is None


def _media_type(options: dict[str, Any]) -> str:
    return getattr(options.get("response_class"), "media_type", None) or "application/json"
