"""What FastAPI cannot see of the routes, for OpenAPI: raw bodies, headers and problems."""

from copy import copy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from actors.runtime.message_codec import to_json
from serve_app.contract import problem_types as kinds
from serve_app.contract import request_schemas, response_schemas
from serve_app.contract.identity import Role

SECURITY_SCHEME = "bearer"

Responses = dict[int | str, dict[str, Any]]

_REFERENCE = "#/components/schemas/{model}"
_MODELS: tuple[type[BaseModel], ...] = (
    request_schemas.PlaceOrder,
    request_schemas.Payment,
    request_schemas.Cancel,
    request_schemas.Reject,
    request_schemas.Nothing,
    request_schemas.ChangeStore,
    request_schemas.ChangeMenuItem,
    response_schemas.Problem,
)
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
_CHALLENGE = {"WWW-Authenticate": {"description": "`Bearer`.", "schema": {"type": "string"}}}
_HEADERS = {401: _CHALLENGE, 429: _RETRY_AFTER, 503: _RETRY_AFTER}
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "Not needed on a machine where authentication is off: see `GET /session`.",
}
_FAULT = {"pointer": "/store_id", "detail": "Field required"}
_EXAMPLES = {
    each.status: each
    for each in (
        kinds.HOST_MISSING,
        kinds.NO_TOKEN,
        kinds.CARD_DECLINED,
        kinds.WRONG_ROLE.filled(role=Role.CUSTOMER),
        kinds.ORDER_NOT_FOUND,
        kinds.NOT_ACCEPTABLE.filled(media_type="application/json"),
        kinds.BODY_TOO_LATE.filled(seconds=10),
        kinds.ProblemType(409, "out_of_turn", "The order is PLACED; this needs ACCEPTED."),
        kinds.PRECONDITION_FAILED,
        kinds.BODY_TOO_LARGE.filled(most=65536),
        kinds.UNSUPPORTED_MEDIA_TYPE,
        kinds.INVALID_REQUEST.filled(
            what="The body", where=_FAULT["pointer"], fault=_FAULT["detail"]
        ),
        kinds.TOO_MANY_REQUESTS.filled(seconds=7),
        kinds.OVERLOADED,
    )
}
_DESCRIPTIONS = {
    400: "The request says not whom it is for.",
    401: "There is no token, or it is not valid any more.",
    402: "Declined. `order` is the order detail; it can be paid again.",
    403: "The token is good, but not for this.",
    404: "There is nothing with this id, or nothing that is yours.",
    406: "The client takes nothing of what there is; nothing was done.",
    408: "The body did not come in time; nothing was done.",
    409: "Not allowed in this state.",
    412: "`If-Match` or `If-None-Match` is not met; nothing was done.",
    413: "The body is too large.",
    415: "The body says that it is no JSON in UTF-8, or is compressed.",
    422: "The request is not valid; `errors` names the fields.",
    429: "More requests than one subject may send.",
    503: "Overloaded or unavailable: repeat it with the same key.",
}

COMMAND_HEADERS: list[dict[str, Any]] = [
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Repeating a request with its key carries it out once. Made up when absent.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        "example": "0a7d1c52-4f7c-4f0a-8a43-6d1f6f8f1c11",
    },
    {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=N`: answer as soon as the order is settled, after N seconds (0 to "
        "30, default 2) at the latest; more counts as 30. `respond-async`: do not wait. Anything "
        "else is ignored. `Preference-Applied` says what was followed.",
        "schema": {"type": "string", "default": "wait=2"},
        "example": "wait=10",
    },
]
REPLAYED_HEADER = {
    "Idempotency-Replayed": {
        "description": "`true` where this key had been carried out before.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}

NOT_CHANGED: dict[str, Any] = {
    "description": "`If-None-Match` names what there is.",
    "headers": {"ETag": {"description": "A weak tag.", "schema": {"type": "string"}}},
}


def answer(model: Any, description: str, **more: Any) -> dict[str, Any]:
    """Describe a successful answer."""
    return {"model": model, "description": description, **more}


def problems(*statuses: int) -> Responses:
    """Describe problem documents, each with an example."""
    return {status: problem_answer(status) for status in (*statuses, 503)}


def problem_answer(status: int, example: kinds.ProblemType | None = None) -> dict[str, Any]:
    """Describe a problem document, with this example or the one that most routes have."""
    shown = (example or _EXAMPLES[status]).document()
    if status == kinds.INVALID_REQUEST.status:
        shown["errors"] = [_FAULT]
    schema = {"$ref": _REFERENCE.format(model="Problem")}
    described = {
        "description": _DESCRIPTIONS[status],
        "content": {kinds.MEDIA_TYPE: {"schema": schema, "example": shown}},
    }
    return described | ({"headers": _HEADERS[status]} if status in _HEADERS else {})


def takes(model: type[BaseModel], *, required: bool = True, command: bool = True) -> Any:
    """Describe what a route reads by itself: its body, and the headers of a command."""
    schema = {"$ref": _REFERENCE.format(model=model.__name__)}
    content = {"application/json": {"schema": schema}}
    described: dict[str, Any] = {"requestBody": {"required": required, "content": content}}
    if command:
        described["parameters"] = COMMAND_HEADERS
    return described


def query_names(route: APIRoute) -> frozenset[str]:
    """Return the names of a route's query parameters, those of FastAPI's and of our own."""
    names: set[str] = set()
    for field in route.dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            names |= model.model_fields.keys()
        else:
            names.add(field.alias)
    described = (route.openapi_extra or {}).get("parameters", ())
    return frozenset(names.union(each["name"] for each in described if each["in"] == "query"))


def document(app: FastAPI) -> None:
    """Make the application's OpenAPI document whole; it is built once, when it is first read."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                tags=app.openapi_tags,
                routes=[_without_head(route) for route in app.routes],
            )
            _, raw = models_json_schema(
                [(model, "validation") for model in _MODELS], ref_template=_REFERENCE
            )
            app.openapi_schema["components"]["schemas"].update(raw["$defs"])
            app.openapi_schema["components"]["securitySchemes"] = {SECURITY_SCHEME: _BEARER}
            _drop_validation_errors(app.openapi_schema)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def openapi_document(app: FastAPI) -> bytes:
    """Return the OpenAPI document as it is sent; it is written once."""
    if not hasattr(app.state, "openapi_document"):
        app.state.openapi_document = to_json(app.openapi())
    written: bytes = app.state.openapi_document
    return written


def _without_head(route: BaseRoute) -> BaseRoute:
    """Return a route as it is documented: that HEAD answers as GET goes without saying."""
    if isinstance(route, APIRoute):
        route = copy(route)
        route.methods = set(route.methods or ()) - {"HEAD"}
    return route


def _drop_validation_errors(schema: dict[str, Any]) -> None:
    """Drop the 422 that FastAPI adds to whatever has a parameter: ours are problem documents."""
    for methods in schema["paths"].values():
        for operation in methods.values():
            if kinds.MEDIA_TYPE not in operation["responses"].get("422", {}).get("content", ()):
                operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)
