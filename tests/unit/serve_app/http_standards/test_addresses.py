"""An address leads to one thing or nowhere, and whoever is lost is told in their language."""

import httpx
import pytest

from tests.support.routes import BROWSER, code_of, raw


@pytest.mark.parametrize(
    "path",
    [
        "/orders/",
        "//orders",
        "/stores/../stores",
        "/Stores",
        "/stores/gangnam/",
        "/my/",
        "/강남",
        "/stores/강남",
        # What is not UTF-8 comes as this from the server.
        "/stores/\ufffd",
        "/orders/\ufffd",
        "/stores/gangnam\ufffd/menu",
    ],
)
async def test_an_address_is_what_it_is_and_nothing_like_it(
    client: httpx.AsyncClient, path: str
) -> None:
    [start, *_] = await raw(client, path=path)
    assert start["status"] == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/my/", 404),
        ("GET", "/orders/nobody", 404),
        ("GET", "/order-details/nobody", 404),
        ("GET", "/static/nothing.js", 404),
        ("GET", "/orders", 405),
        ("POST", "/my", 405),
    ],
)
@pytest.mark.parametrize(("wish", "language"), [("ko-KR,ko;q=0.9", "ko"), ("en", "en")])
async def test_people_who_are_lost_get_a_page_with_a_way_home(
    client: httpx.AsyncClient, method: str, path: str, status: int, wish: str, language: str
) -> None:
    asked = {"Accept": BROWSER, "Accept-Language": wish}
    page = await client.request(method, path, headers=asked)
    program = await client.request(method, path, headers={"Accept": "*/*"})

    assert page.status_code == program.status_code == status
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-language"] == language
    assert page.headers["cache-control"] == "no-store"
    assert "unsafe" not in page.headers["content-security-policy"]
    assert '<a class="button primary" href="/"' in page.text
    assert ("여기에는 아무것도 없어요" in page.text) == (language == "ko")
    assert program.json()["status"] == status
    for answer in (page, program):
        assert "Accept" in answer.headers["vary"]
        assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    "accept", ["application/json", "application/json, text/html", "text/html;q=0.5, */*", "*/*"]
)
async def test_a_program_that_is_lost_gets_a_problem_document(
    client: httpx.AsyncClient, accept: str
) -> None:
    response = await client.get("/nowhere", headers={"Accept": accept})
    assert (response.status_code, code_of(response)) == (404, "not_found")
