"""The OpenAPI document says what the routes do, although they read and write raw bytes."""

import html
import json
import re
from typing import Any

import httpx
import pytest
import pytest_asyncio

from serve_app.contract.request_schemas import PlaceOrder


@pytest.fixture(scope="module")
def client(shared_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Nothing here leaves a trace that another test could see."""
    return shared_client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def document(client: httpx.AsyncClient) -> dict[str, Any]:
    response = await client.get("/openapi.json")
    assert response.status_code == 200
    document: dict[str, Any] = response.json()
    return document


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def references(part: object) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*(references(value) for value in part.values()))
    if isinstance(part, list):
        return set().union(*(references(value) for value in part))
    return set()


def test_every_route_of_the_contract_is_there(document: dict[str, Any]) -> None:
    assert {f"{method.upper()} {path}" for method, path, _ in operations(document)} == {
        "POST /orders",
        "GET /orders/{order_id}",
        "DELETE /orders/{order_id}",
        "POST /orders/{order_id}/payment",
        "POST /orders/{order_id}/cancel",
        "GET /orders/{order_id}/events",
        "GET /orders/{order_id}/story",
        "GET /orders/{order_id}/stream",
        "GET /order-details",
        "GET /order-details/{order_id}",
        "GET /pickups",
        "POST /pickups/{order_id}/start",
        "POST /pickups/{order_id}/ready",
        "POST /pickups/{order_id}/complete",
        "POST /pickups/{order_id}/reject",
        "GET /payments",
        "GET /payments/{payment_id}",
        "GET /stores",
        "GET /stores/{store_id}",
        "PATCH /stores/{store_id}",
        "GET /stores/{store_id}/menu",
        "PATCH /stores/{store_id}/menu/{menu_id}",
        "GET /session",
        "POST /session",
        "GET /healthz",
        "GET /readyz",
    }


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) <= known


def test_commands_describe_their_headers_and_bodies(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        headers = {p["name"] for p in operation.get("parameters", []) if p["in"] == "header"}
        if method in ("post", "delete") and path != "/session":
            assert headers == {"Idempotency-Key", "Prefer"}, path
    body = document["paths"]["/orders"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"]["$ref"].endswith("/PlaceOrder")
    [example] = document["components"]["schemas"]["PlaceOrder"]["examples"]
    PlaceOrder.model_validate(example)


def test_operations_are_named_and_errors_are_problems(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert "place_order" in names
    for _, path, operation in operations(document):
        assert operation["summary"], path
        for status, response in operation["responses"].items():
            if status >= "400":
                assert list(response["content"]) == ["application/problem+json"], path


def test_each_operation_names_its_roles_or_is_open(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    opened = {"/session", "/healthz", "/readyz"}
    for _, path, operation in operations(document):
        assert (operation["x-roles"] == ["anybody"]) == (path in opened), path
        assert operation["security"] == ([] if path in opened else [{"bearer": []}]), path
        assert f"Roles: {', '.join(operation['x-roles'])}." in operation["description"]
        if path not in opened:
            assert {"401", "403", "429"} <= set(operation["responses"]), path


async def test_the_documentation_shows_every_call_and_how_to_try_it(
    client: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    page = (await client.get("/docs")).text
    for method, path, operation in operations(document):
        (call,) = re.findall(
            f'<details id="{operation["operationId"]}">.*?</details>', page, re.DOTALL
        )
        assert f'<form data-method="{method.upper()}" data-path="{path}">' in call
        assert f"Roles: {', '.join(operation['x-roles'])}." in call
        for parameter in operation.get("parameters", ()):
            assert f'name="{parameter["name"]}" data-in="{parameter["in"]}"' in call
        assert ("<textarea" in call) == ("requestBody" in operation)
    assert html.escape('"token": "tok_approve"') in page
    assert len(page) < 300_000


@pytest.mark.parametrize("path", ["/docs", "/", "/my", "/sign-in", "/board/gangnam"])
async def test_every_page_says_in_which_language_it_is(
    client: httpx.AsyncClient, path: str
) -> None:
    page = await client.get(path, headers={"Accept-Language": "en"})
    assert page.headers["content-language"] == "en"
    assert '<html lang="en"' in page.text


async def test_the_documentation_is_sent_once(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    again = await client.get("/docs", headers={"If-None-Match": page.headers["etag"]})
    assert again.status_code == 304
    assert (await client.get("/docs/nothing.js")).status_code == 404


def test_no_position_of_the_journal_is_in_the_contract(document: dict[str, Any]) -> None:
    """Clients count an order's own versions; there may be more than one journal one day."""
    assert not {"position", "seq", "since"} & {name.lower() for name in names(document)}


def names(part: object) -> set[str]:
    if isinstance(part, dict):
        declared = part.get("properties", {})
        own = set(declared) if isinstance(declared, dict) else set()
        if "in" in part:
            own.add(str(part.get("name")))
        return own.union(*(names(value) for value in part.values()))
    return set().union(*map(names, part)) if isinstance(part, list) else set()


def test_a_body_that_is_refused_at_any_time_does_not_fit_its_schema(
    document: dict[str, Any],
) -> None:
    schemas = document["components"]["schemas"]
    for name, members in {
        "ChangeStore": {"open"},
        "ChangeMenuItem": {"sold_out", "price"},
        "Cancel": {"reason"},
        "PlaceOrder": {"expected_total"},
    }.items():
        for member in members:
            assert "null" not in str(schemas[name]["properties"][member]), (name, member)
            assert "default" not in schemas[name]["properties"][member]
    assert schemas["ChangeStore"]["minProperties"] == 1
    assert schemas["ChangeMenuItem"]["minProperties"] == 1


def test_patterns_mean_the_same_to_every_reader_of_the_document(document: dict[str, Any]) -> None:
    patterns = set(re.findall(r'"pattern":\s*"((?:[^"\\]|\\.)*)"', json.dumps(document)))
    assert patterns
    for pattern in patterns:
        re.compile(json.loads(f'"{pattern}"'))
        assert r"\\p" not in pattern  # JavaScript knows it, Python and others do not
