"""The pages that people use, and the files they are made of."""

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from serve_app.assets import load_assets
from serve_app.direct import DirectRoute

PAGES = {
    "/": "order.html",
    "/my": "my.html",
    "/my/{order_id:id}": "one.html",
    "/board/{store_id:id}": "board.html",
    "/owner/payments": "payments.html",
    "/owner/order-details": "order-details.html",
    "/sign-in": "sign-in.html",
}
"""Address and file. A page is the same for everybody: what it shows, it asks the API for."""

router = APIRouter(include_in_schema=False, route_class=DirectRoute)
_assets = load_assets()


@router.api_route("/static/{name:id}", methods=["GET", "HEAD"])
async def get_static_file(request: Request, name: str) -> Response:
    """Send a style sheet, a script or a picture."""
    asset = _assets.get(name)
    if asset is None or name in PAGES.values():
        raise HTTPException(404)
    return asset.answer(request)


def _add_page(address: str, file: str) -> None:
    asset = _assets[file]

    async def get_page(request: Request, **_ids: str) -> Response:
        return asset.answer(request)

    name = f"page_{file.removesuffix('.html')}"
    router.add_api_route(address, get_page, methods=["GET", "HEAD"], name=name)


for _address, _file in PAGES.items():
    _add_page(_address, _file)
