"""What stands before every route: load shedding, the size of bodies, and the last resort."""

import logging
import traceback

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.problems import internal_error, overloaded, too_large

MAX_BODY = 64 * 1024
HEALTH = ("/healthz", "/readyz")

logger = logging.getLogger("siren")


class Guard:
    """ASGI middleware. Refuses what is too much, and answers 500 where a route fails.

    More than `max_in_flight` requests under way are answered 503 at once. Health checks are always
    let through, and streams are: they last for minutes and mostly wait.
    """

    def __init__(self, app: ASGIApp, max_in_flight: int) -> None:
        self._app = app
        self._max_in_flight = max_in_flight
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] in HEALTH or scope["path"].endswith("/stream"):
            await self._serve(scope, receive, send)
        elif self._in_flight >= self._max_in_flight:
            await overloaded()(scope, receive, send)
        else:
            self._in_flight += 1
            try:
                await self._serve(scope, receive, send)
            finally:
                self._in_flight -= 1

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _announces_too_much(scope):
            await too_large(MAX_BODY)(scope, receive, send)
            return
        started = False

        async def observed(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception as error:  # noqa: BLE001 - the last resort
            _log(scope["method"], error)
            if not started:
                await internal_error()(scope, receive, send)


def _announces_too_much(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"content-length":
            # Compared by its digits first: Python refuses to read very long numbers.
            return value.isdigit() and (len(value) > 9 or int(value) > MAX_BODY)  # noqa: PLR2004
    return False


def _log(method: str, error: BaseException | None) -> None:
    """Log where it failed. Texts of errors and paths may hold personal data: they stay out."""
    lines = []
    while error is not None:
        lines += [type(error).__name__, "\n", *traceback.format_tb(error.__traceback__)]
        error = error.__cause__ or error.__context__
    logger.error("a %s request failed unexpectedly: %s", method, "".join(lines))
