"""The application: routes, errors and documentation put together. Knows nothing of Ray Serve."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from serve_app.backend import Backend
from serve_app.contract.openapi import document
from serve_app.contract.problems import add_handlers
from serve_app.middleware.access_log import JsonRequestLog, log_request
from serve_app.middleware.concurrency_limits import Places, waiting
from serve_app.middleware.cross_origin import CrossOrigin
from serve_app.middleware.load_shedding import Guard
from serve_app.middleware.observation import Observation
from serve_app.middleware.protocol import Protocol
from serve_app.middleware.request_body import Bodies
from serve_app.middleware.security_headers import SecurityHeaders
from serve_app.readiness import Readiness
from serve_app.routes import ROUTERS, not_found, order_stream
from serve_app.security.authentication import Gate

DESCRIPTION = """\
Order coffee ahead, pay, and pick it up when your number is called.

Times are RFC 3339 in UTC, money is an integer in the currency's minor unit (KRW has none: 4500 is
₩4,500). Every list answers `{"items": […], "next_cursor": …}`. Errors are problem documents
(RFC 9457) with a `code` for programs.

Each call names the roles that may use it. A customer sees their own orders and payments, staff the
orders, tickets and settings of their store, owner and service everything. What is not yours is
answered as if it did not exist.
"""
TAGS = [
    {"name": "orders", "description": "Commands, and the journal's word on an order."},
    {"name": "order details", "description": "The view: readable whatever else is down."},
    {"name": "pickups", "description": "The store's tickets and the barista's buttons."},
    {"name": "payments", "description": "The payment service's own record."},
    {"name": "stores", "description": "Stores and menus."},
    {"name": "session", "description": "Who one is, and tokens for guests."},
    {"name": "health", "description": "For operators and load balancers."},
]


def build_app(siren: Backend, max_in_flight: int, token_secret: bytes | None = None) -> FastAPI:
    """Return the ASGI application over a client, which is closed when the application ends.

    More than `max_in_flight` requests worked on at a time are answered 503. `token_secret` signs
    tokens; without one, no token outlives the application.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await siren.live.try_to_look()  # nobody is served by what was set before
        siren.live.start()
        yield
        await siren.close()

    app = FastAPI(
        title="Siren Order",
        summary="Orders as virtual actors, and a saga that survives any crash.",
        description=DESCRIPTION,
        version=version("siren-order"),
        openapi_tags=TAGS,
        docs_url=None,  # a route of our own, with a policy for its script
        redoc_url=None,
        openapi_url=None,  # a route of our own, too: FastAPI's writes the document anew each time
        redirect_slashes=False,
        lifespan=lifespan,
        # Nobody exports any; to find that out took 0.01 ms of each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    settings = siren.installation.settings
    siren.waiting = waiting
    app.state.siren = siren
    app.state.readiness = Readiness(siren.not_ready)
    app.state.gate = gate = Gate(settings, token_secret or secrets.token_bytes(32))
    siren.live.tell(gate.reconfigure)
    app.add_middleware(Protocol)
    app.state.places = places = Places(max_in_flight)
    app.add_middleware(Guard, places=places)
    app.add_middleware(Bodies)  # before the guard: who still sends has no place yet
    app.add_middleware(CrossOrigin, live=siren.live)
    app.add_middleware(SecurityHeaders)
    # In owner mode all requests are one person's: of interest where somebody collects them.
    as_text = None if settings.owner_mode else log_request
    log = JsonRequestLog() if settings.log_format == "json" else as_text
    app.add_middleware(Observation, log=log)
    add_handlers(app)
    not_found.add_handlers(app)
    order_stream.add_handler(app)
    for router in ROUTERS:  # not included: FastAPI would match each route twice, at 0.02 ms
        app.router.routes.extend(router.routes)
    document(app)
    return app
