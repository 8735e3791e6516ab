"""The pages that people use, and the files they load."""

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from serve_app.access import PublicRoute
from serve_app.assets import load_files, load_page

PAGES = {
    "/": "order",
    "/my": "my",
    "/my/{order_id:id}": "one",
    "/board/{store_id:id}": "board",
    "/owner/payments": "payments",
    "/owner/order-details": "order-details",
    "/sign-in": "sign-in",
}
"""Address and name. A page is the same for everybody: what it shows, it asks the API for."""

router = APIRouter(include_in_schema=False, route_class=PublicRoute)
_files = load_files()


@router.get("/static/{name:id}")
async def get_static_file(request: Request, name: str) -> Response:
    """Send a style sheet, a module or a picture."""
    if name not in _files:
        raise HTTPException(404)
    return _files[name].answer(request)


def _add_page(address: str, name: str) -> None:
    page = load_page(name)

    async def get_page(request: Request) -> Response:
        return page.answer(request)

    router.add_api_route(address, get_page, name=f"page_{name}")


for _address, _name in PAGES.items():
    _add_page(_address, _name)
