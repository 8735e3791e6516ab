"""Which other sites' pages may call: CORS, for the origins that are configured at the moment."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from actors.runtime.live_settings import LiveSettings
from actors.settings import Settings

ALLOWED_METHODS = ["GET", "POST", "PATCH", "DELETE"]
ALLOWED_HEADERS = [
    "Authorization",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
]
EXPOSED_HEADERS = [
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Preference-Applied",
    "Retry-After",
    "WWW-Authenticate",
]


class CrossOrigin:
    """ASGI middleware. Lets pages of the live settings' origins call; without any, it does nothing.

    Starlette's own is built for one list of origins: another list has another one.
    """

    def __init__(self, app: ASGIApp, live: LiveSettings) -> None:
        self._app = self._now = app
        live.tell(self._reconfigure)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        await self._now(scope, receive, send)

    def _reconfigure(self, now: Settings) -> None:
        self._now = self._app
        if now.cors_origins:
            self._now = CORSMiddleware(
                self._app,
                allow_origins=now.cors_origins,
                allow_methods=ALLOWED_METHODS,
                allow_headers=ALLOWED_HEADERS,
                expose_headers=EXPOSED_HEADERS,
            )
