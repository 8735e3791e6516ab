"""The application: routes, errors and documentation put together. Knows nothing of Ray Serve."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from actors.client import AsyncSiren
from serve_app.documentation import document
from serve_app.guard import Guard
from serve_app.problems import add_handlers
from serve_app.routes import ROUTERS, stream

DESCRIPTION = """\
Order coffee ahead, pay, and pick it up when your number is called.

Times are RFC 3339 in UTC, money is an integer in the currency's minor unit (KRW has none: 4500 is
₩4,500). Every list answers `{"items": […], "next_cursor": …}`. Errors are problem documents
(RFC 9457) with a `code` for programs.
"""
TAGS = [
    {"name": "orders", "description": "Commands, and the journal's word on an order."},
    {"name": "order details", "description": "The view: readable whatever else is down."},
    {"name": "pickups", "description": "The store's tickets and the barista's buttons."},
    {"name": "payments", "description": "The payment service's own record."},
    {"name": "stores", "description": "Stores and menus."},
    {"name": "health", "description": "For operators and load balancers."},
]


def build_app(siren: AsyncSiren, max_in_flight: int) -> FastAPI:
    """Return the ASGI application over a client, which is closed when the application ends.

    More than `max_in_flight` requests under way are answered 503.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await siren.close()

    app = FastAPI(
        title="Siren Order",
        summary="Orders as virtual actors, and a saga that survives any crash.",
        description=DESCRIPTION,
        version=version("siren-order"),
        openapi_tags=TAGS,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
    )
    app.state.siren = siren
    app.add_middleware(Guard, max_in_flight=max_in_flight)
    add_handlers(app)
    stream.add_handler(app)
    for router in ROUTERS:
        app.include_router(router)
    document(app)
    return app
