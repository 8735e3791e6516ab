"""Health: of this replica, and of what an order needs."""

from fastapi import APIRouter, Request, Response

from serve_app.contract.openapi import problems
from serve_app.contract.problem_types import NOT_READY
from serve_app.contract.problems import problem
from serve_app.contract.responses import json_answer
from serve_app.readiness import Readiness
from serve_app.routing.access_route import PublicRoute

router = APIRouter(tags=["health"], route_class=PublicRoute)


@router.get("/healthz", responses={200: {"description": "This replica lives."}})
async def healthz() -> Response:
    """Tell whether this replica lives, whatever else is down."""
    return json_answer({"status": "alive"})


@router.get("/readyz", responses={200: {"description": "Orders can be placed."}, **problems()})
async def readyz(request: Request) -> Response:
    """Tell whether orders can be placed; `missing` in the problem says what is not there.

    Looked up once a second at most. No reason to take the replica away: reading works without
    what is missing.
    """
    readiness: Readiness = request.app.state.readiness
    missing = await readiness.missing()
    if not missing:
        return json_answer({"status": "ready"})
    return problem(NOT_READY, missing=missing)
