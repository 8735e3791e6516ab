"""What stands before every route: load shedding, and the last resort."""

import logging
import traceback

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.contract.problem_types import INTERNAL_ERROR, OVERLOADED
from serve_app.contract.problems import problem
from serve_app.middleware.concurrency_limits import Kind, Places

HEALTH = ("/healthz", "/readyz")
READS = ("GET", "HEAD", "OPTIONS")
# Beginning a session asks no service: a flood of orders shall not keep anybody from it.
SESSION = "/session"
TAKES = b"x-siren-takes"
"""With each answer HAProxy is told how many commands this replica takes. It refuses the rest
itself, at a fraction of what that costs here, and hands the header on to nobody."""

logger = logging.getLogger("siren")


class Guard:
    """ASGI middleware. Refuses what is too much, and answers 500 where a route fails.

    Where all `places` are taken, another request is answered 503 at once; a flood of commands
    leaves reads their share, and the other way round.
    """

    def __init__(self, app: ASGIApp, places: Places) -> None:
        self._app = app
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        place = self._places.enter(_kind(scope))
        if place is None:
            takes = {TAKES.decode(): str(self._places.commands)}
            await problem(OVERLOADED, headers=takes)(scope, receive, send)
            return
        with place:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def observed(message: Message) -> None:
            nonlocal started
            if not started:
                started = True
                told = (TAKES, b"%d" % self._places.commands)
                message["headers"] = [*message.get("headers", ()), told]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception as error:  # noqa: BLE001 - the last resort
            _log(scope["method"], error)
            if not started:
                await problem(INTERNAL_ERROR)(scope, receive, send)


def _kind(scope: Scope) -> Kind:
    path = scope["path"]
    if path in HEALTH:
        return Kind.HEALTH
    return Kind.READ if scope["method"] in READS or path == SESSION else Kind.COMMAND


def _log(method: str, error: BaseException | None) -> None:
    """Log where it failed. Texts of errors and paths may hold personal data: they stay out."""
    lines = []
    while error is not None:
        lines += [type(error).__name__, "\n", *traceback.format_tb(error.__traceback__)]
        error = error.__cause__ or error.__context__
    logger.error("a %s request failed unexpectedly: %s", method, "".join(lines))
