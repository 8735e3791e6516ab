"""Sessions: who a token says one is, and a guest's token for whoever walks in."""

from dataclasses import replace
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from serve_app.contract import request_schemas, response_schemas
from serve_app.contract.identity import Identity
from serve_app.contract.openapi import answer, problems, takes
from serve_app.contract.problem_types import NOT_FROM_THIS_MACHINE
from serve_app.contract.problems import Refused, problem
from serve_app.contract.requests import read
from serve_app.contract.responses import json_answer
from serve_app.routing.access_route import PublicRoute
from serve_app.security.authentication import gate_of
from serve_app.security.tokens import GUEST_LIFE, issue, new_guest

router = APIRouter(tags=["session"], route_class=PublicRoute)


@router.get(
    "/session",
    responses={
        200: answer(response_schemas.Session, "All null without a token."),
        **problems(401),
    },
)
async def get_session(request: Request) -> Response:
    """Tell who a request is from; 401 only where it has a token that is not valid.

    `authentication` is `off` where requests from this machine need no token: they are the owner's.
    """
    gate = gate_of(request)
    identity = await gate.identify(request.scope)
    known = gate.owner_mode is not None and identity is not None
    shown = _shown(identity) if identity else dict.fromkeys(response_schemas.Who.model_fields)
    return json_answer({"authentication": "off" if known else "required", **shown})


@router.post(
    "/session",
    status_code=201,
    responses={
        201: answer(response_schemas.GuestSession, "A new guest, or the same one for longer."),
        **problems(401, 403),
    },
    openapi_extra=takes(request_schemas.Nothing, required=False, command=False),
)
async def post_session(request: Request) -> Response:
    """Begin as a guest, who can order at once; with a guest's token that still holds, go on.

    A guest sees their own orders and payments, and nobody can guess who they are.
    """
    gate = gate_of(request)
    identity = await gate.identify(request.scope)
    read(request, request_schemas.Nothing, request_schemas.Nothing())
    if identity is None and gate.owner_mode is not None:
        why = gate.owner_mode.objection(request.scope)
        raise Refused(problem(NOT_FROM_THIS_MACHINE.filled(why=why)))
    guest = identity if identity is not None and identity.guest else new_guest()
    token, expires_at = issue(gate.tokens.secret, guest, GUEST_LIFE)
    shown = _shown(replace(guest, expires_at=expires_at))
    return json_answer({"token": token, **shown}, 201)


def _shown(identity: Identity) -> dict[str, object]:
    expires = identity.expires_at
    return {
        "subject": identity.subject,
        "role": identity.role,
        "store_id": identity.store_id,
        "expires_at": None if expires is None else datetime.fromtimestamp(expires, UTC),
    }
