"""The page on which every call can be tried out."""

import base64
import hashlib
import re

from fastapi import APIRouter, Response
from fastapi.openapi.docs import get_swagger_ui_html

from serve_app.access import PublicRoute

CDN = "https://cdn.jsdelivr.net"
NO_ICON = "data:,"

router = APIRouter(route_class=PublicRoute)


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    """Show Swagger UI. Its script and style come from a CDN, and nothing else may."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json", title="Siren Order", swagger_favicon_url=NO_ICON
    )
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body).decode())
    return page


def _policy(html: str) -> str:
    """Return a policy for one page: its own inline script by its hash, and the CDN."""
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src {CDN} 'sha256-{digest}'; style-src {CDN}; "
        "img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
