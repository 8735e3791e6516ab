"""Every route that the application has, and requests made by hand."""

import asyncio
import re
from typing import Any

import httpx
from starlette.routing import Route

from serve_app.routes import ROUTERS
from serve_app.routing.access_route import AccessRoute, PageRoute, PublicRoute

ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, Route)]
PATHS: dict[str, set[str]] = {}
for _route in ROUTES:
    PATHS.setdefault(_route.path, set()).update(_route.methods or ())
GETS = sorted(path for path, methods in PATHS.items() if "GET" in methods)
API = sorted(
    (method, route.path)
    for route in ROUTES
    if not isinstance(route, PageRoute)
    for method in (route.methods or ())
)
PAGES = sorted(route.path for route in ROUTES if isinstance(route, PageRoute))
STREAM = "/orders/{order_id:id}/stream"
DOCUMENTS = [path for path in GETS if path not in (STREAM, *PAGES)]
QUERIES = sorted(
    (route.path, name)
    for route in ROUTES
    if isinstance(route, PublicRoute | AccessRoute)
    for name in route.parameters
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


def address(path: str, ids: dict[str, str]) -> str:
    """Return an address that leads to a route, and to something that exists."""
    return re.sub(r"\{(\w+):id\}", lambda found: ids[found[1]], path)


def http_scope(scope: dict[str, Any]) -> dict[str, Any]:
    """Return a request's whole ASGI scope, of which `scope` has what matters."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        **scope,
    }


async def raw(client: httpx.AsyncClient, **scope: Any) -> list[dict[str, Any]]:
    """Return the messages with which the application answers a request made by hand."""
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    sent: list[dict[str, Any]] = []
    body = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not body:
            await asyncio.Event().wait()
        return body.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    whole = http_scope(scope)
    async with asyncio.timeout(20):
        await transport.app(whole, receive, send)
    return sent


def code_of(response: httpx.Response) -> str:
    assert response.headers["content-type"] == "application/problem+json"
    return str(response.json()["code"])
