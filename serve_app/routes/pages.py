"""The pages that people use, and the files they load."""

from itertools import product

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from serve_app.assets import LANGUAGES, load_files, load_page
from serve_app.routing.access_route import PageRoute
from serve_app.security.authentication import gate_of

CUSTOMER = {"/": "nav.order", "/my": "nav.my"}
OWNER = {"/owner/order-details": "nav.details", "/owner/payments": "nav.payments"}
PAGES = {
    "/": ("order", "order.title", CUSTOMER),
    "/my": ("my", "nav.my", CUSTOMER),
    "/my/{order_id:id}": ("one", "column.order", CUSTOMER),
    "/board/{store_id:id}": ("board", "board.title", OWNER),
    "/owner/payments": ("payments", "nav.payments", OWNER),
    "/owner/order-details": ("order-details", "nav.details", OWNER),
    "/sign-in": ("sign-in", "sign-in.title", CUSTOMER),
}
"""Address, name, title and navigation. What a page shows, it asks the API for."""

DEFAULT_LANGUAGE = "en"
LANGUAGE_COOKIE = "siren-language"
"""Set by a page whose reader switched; it says nothing of who that is."""

router = APIRouter(include_in_schema=False, route_class=PageRoute)
_files = load_files()


@router.get("/static/{name:id}")
async def get_static_file(request: Request, name: str) -> Response:
    """Send a style sheet, a module or a picture."""
    if name not in _files:
        raise HTTPException(404)
    return _files[name].answer(request)


def language_of(request: Request) -> str:
    """Return the language that the reader has chosen, or likes best (RFC 9110, 12.5.4)."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    best, most = DEFAULT_LANGUAGE, 0.0
    for wish in request.headers.get("accept-language", "").split(","):
        tag, _, parameter = wish.partition(";")
        language = tag.strip()[:2].lower()
        weight = _weight(parameter.strip())
        if language in LANGUAGES and weight > most:
            best, most = language, weight
    return best


def _weight(parameter: str) -> float:
    if not parameter.startswith("q="):
        return 1.0
    try:
        return float(parameter[2:])
    except ValueError:
        return 0.0


def _add_page(address: str, name: str, title: str, links: dict[str, str]) -> None:
    pages = {
        (language, banner): load_page(name, language, title=title, links=links, banner=banner)
        for language, banner in product(LANGUAGES, (True, False))
    }

    async def get_page(request: Request) -> Response:
        owner_mode = gate_of(request).owner_mode
        banner = owner_mode is not None and owner_mode.admits(request.scope)
        return pages[language_of(request), banner].answer(request)

    router.add_api_route(address, get_page, name=f"page_{name}")


for _address, (_name, _title, _links) in PAGES.items():
    _add_page(_address, _name, _title, _links)
