"""Which sites' pages may call is asked of the live settings, request by request."""

from collections.abc import Callable
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from actors.settings import Settings
from serve_app.middleware.cross_origin import CrossOrigin

ORIGIN = "https://a.example"


class Live:
    """Live settings of which a test says what they are."""

    def tell(self, apply: Callable[[Settings], None]) -> None:
        self.apply = apply
        apply(Settings())


async def test_a_site_is_let_in_from_the_change_on_and_kept_out_from_the_next() -> None:
    live = Live()
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("fine"))])
    app.add_middleware(CrossOrigin, live=live)  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://siren") as client:

        async def allowed() -> Any:
            answer = await client.get("/", headers={"Origin": ORIGIN})
            assert answer.text == "fine"
            return answer.headers.get("access-control-allow-origin", "")

        assert await allowed() == ""
        live.apply(Settings(cors_origins=(ORIGIN,)))
        assert await allowed() == ORIGIN
        live.apply(Settings())
        assert await allowed() == ""
