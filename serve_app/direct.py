"""Routes that FastAPI documents and finds, but does not read the requests of."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class DirectRoute(APIRoute):
    """Calls its endpoint with the request and the path parameters, which are strings.

    For endpoints that take nothing else and return a `Response`: to find out that there is nothing
    to inject or to validate took FastAPI 0.04 ms of the 0.5 that a request costs the gateway.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what Starlette calls."""
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            response: Response = await endpoint(request, **request.path_params)
            return response

        return handle
