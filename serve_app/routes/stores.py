"""Stores and their menus."""

from fastapi import APIRouter, Request, Response

from actors.contracts.messages import MenuItemChange, StoreChange
from actors.runtime.paging import Page
from serve_app.contract import request_schemas, response_schemas
from serve_app.contract.openapi import answer, problems, takes
from serve_app.contract.problem_types import PRICES_ARE_SET_BY_THE_OWNER
from serve_app.contract.problems import Refused, problem
from serve_app.contract.requests import read, siren_of
from serve_app.contract.responses import json_answer, page_answer, resource_answer
from serve_app.routing.access_route import EVERYBODY, OWNER, SERVICE, STAFF, AccessRoute, allow
from serve_app.security.authentication import caller
from serve_app.security.order_scope import check_store

router = APIRouter(tags=["stores"], route_class=AccessRoute)


@router.get(
    "/stores",
    responses={
        200: answer(response_schemas.Page[response_schemas.Store], "All of them."),
        **problems(),
    },
)
@allow(*EVERYBODY)
async def list_stores(request: Request) -> Response:
    """List the stores with opening state, queue and estimate."""
    return page_answer(Page(await siren_of(request).stores.stores(), None))


@router.get(
    "/stores/{store_id:id}",
    responses={200: answer(response_schemas.Store, "The store."), **problems(404)},
)
@allow(*EVERYBODY)
async def get_store(request: Request, store_id: str) -> Response:
    """Read a store."""
    return resource_answer(await siren_of(request).stores.store(store_id))


@router.get(
    "/stores/{store_id:id}/menu",
    responses={
        200: answer(response_schemas.Page[response_schemas.MenuItem], "All of it."),
        **problems(404),
    },
)
@allow(*EVERYBODY)
async def get_menu(request: Request, store_id: str) -> Response:
    """Read a store's menu, in the order of its board."""
    return page_answer(Page(await siren_of(request).stores.menu(store_id), None))


@router.patch(
    "/stores/{store_id:id}",
    responses={
        200: answer(response_schemas.Store, "The store as it is now."),
        **problems(404, 413, 422),
    },
    openapi_extra=takes(request_schemas.ChangeStore, command=False),
)
@allow(STAFF, OWNER, SERVICE)
async def change_store(request: Request, store_id: str) -> Response:
    """Open or close a store, or limit how many tickets it has at once."""
    check_store(request, store_id)
    wanted = read(request, request_schemas.ChangeStore)
    siren = siren_of(request)
    limits = "capacity" in wanted.model_fields_set  # null is a limit too: none
    await siren.change_store(StoreChange(store_id, wanted.open, limits, wanted.capacity))
    return json_answer(await siren.stores.store(store_id))


@router.patch(
    "/stores/{store_id:id}/menu/{menu_id:id}",
    responses={
        200: answer(response_schemas.MenuItem, "The item as it is now."),
        **problems(404, 413, 422),
    },
    openapi_extra=takes(request_schemas.ChangeMenuItem, command=False),
)
@allow(STAFF, OWNER, SERVICE)
async def change_menu_item(request: Request, store_id: str, menu_id: str) -> Response:
    """Sell a menu item out, or change its price for orders to come, which is the owner's alone."""
    check_store(request, store_id)
    wanted = read(request, request_schemas.ChangeMenuItem)
    if wanted.price is not None and not caller(request).sees_everything:
        raise Refused(problem(PRICES_ARE_SET_BY_THE_OWNER))
    siren = siren_of(request)
    await siren.change_menu_item(MenuItemChange(store_id, menu_id, wanted.sold_out, wanted.price))
    menu = await siren.stores.menu(store_id)
    return json_answer(next(item for item in menu if item["menu_id"] == menu_id))
