"""Requests that lead nowhere: no such address, or not with this method. People get a page."""

from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from actors.contracts.errors import NotFound
from serve_app.assets import LANGUAGES, Asset, load_page
from serve_app.contract.negotiation import prefers_html
from serve_app.contract.problem_types import NOT_IMPLEMENTED, ProblemType
from serve_app.contract.problems import problem, problem_of
from serve_app.routes.pages import CUSTOMER, language_of

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
"""Those of HTTP. Whoever sends another one asks for what nothing here could do."""
NOT_FOUND, METHOD_NOT_ALLOWED = 404, 405

_pages: dict[str, Asset] = {
    language: load_page("lost", language, title="lost.title", links=CUSTOMER, banner=False)
    for language in LANGUAGES
}


def add_handlers(app: FastAPI) -> None:
    """Let such requests end as a problem document for programs, and as a page for people."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(NotFound, _not_found)


async def _not_found(request: Request, error: Any) -> Response:
    return _told(request, problem(ProblemType(NOT_FOUND, error.code, error.detail)))


async def _http_error(request: Request, error: Any) -> Response:
    if error.status_code != METHOD_NOT_ALLOWED:
        return _told(request, problem_of(error))
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": allowed(request)})
    if request.method not in METHODS:
        return problem(NOT_IMPLEMENTED)
    response = _told(request, problem_of(error))
    response.headers["Allow"] = allowed(request)
    return response


def allowed(request: Request) -> str:
    """Return the methods that a request's path takes; several routes may share it."""
    methods = {"OPTIONS"}
    for route in request.app.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return ", ".join(sorted(methods))


def _told(request: Request, response: Response) -> Response:
    """Return the problem document, or a page with its status for whoever reads this."""
    if response.status_code in (NOT_FOUND, METHOD_NOT_ALLOWED):
        if prefers_html(request.scope):
            response = _pages[language_of(request)].failure(request, response.status_code)
        response.headers.add_vary_header("Accept")
    return response
