"""The page on which every call can be read and tried out, and the files it loads."""

from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from serve_app import docs_page
from serve_app.assets import Asset, load_folder, ready_page
from serve_app.contract.openapi import openapi_document
from serve_app.routing.access_route import PageRoute, PublicRoute

router = APIRouter(include_in_schema=False, route_class=PageRoute)
documents = APIRouter(include_in_schema=False, route_class=PublicRoute)
_files = load_folder(Path(docs_page.__file__).with_name("docs_static"))


@documents.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """Send the OpenAPI document."""
    return Response(openapi_document(request.app), media_type="application/json")


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Show every call, what it takes and answers, and let it be tried out."""
    state = request.app.state
    if not hasattr(state, "docs"):
        state.docs = ready_page(docs_page.render(request.app.openapi()), docs_page.LANGUAGE)
    page: Asset = state.docs
    return page.answer(request)


@router.get("/docs/{name:id}")
async def get_docs_file(request: Request, name: str) -> Response:
    """Send the style sheet or the script of the documentation."""
    if name not in _files:
        raise HTTPException(404)
    return _files[name].answer(request)
