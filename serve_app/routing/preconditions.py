"""Preconditions (RFC 9110, section 13): 412 where one is not met, before anything is done.

A request that would be refused without them is refused as it would be. There is no
`Last-Modified` here, and therefore nothing that `If-Unmodified-Since` could be compared with: it
is ignored (section 13.1.4).
"""

from fastapi import Request
from starlette.types import Scope

from actors.contracts.errors import NotFound
from actors.runtime.message_codec import to_json
from serve_app.contract.problem_types import IS_THERE, PRECONDITION_FAILED
from serve_app.contract.problems import Refused, problem
from serve_app.contract.requests import siren_of
from serve_app.contract.validators import is_known, tag_of
from serve_app.security.order_scope import check_detail, check_store

SAFE = ("GET", "HEAD")
TESTED = frozenset((b"if-match", b"if-none-match"))


def is_conditional(scope: Scope) -> bool:
    """Return whether a request names a tag, or `*`."""
    for name, _ in scope["headers"]:  # noqa: SIM110 - `any` would take twice as long
        if name in TESTED:
            return True
    return False


def check_tags(scope: Scope) -> None:
    """Raise `Refused` (412) unless `If-Match`, where given, is `*`; for what is known to exist.

    A value that cannot be read is not met either: whoever sends one wants to be stopped.
    """
    given = [value for name, value in scope["headers"] if name == b"if-match"]
    if given and b",".join(given).strip() != b"*":
        raise Refused(problem(PRECONDITION_FAILED))


async def check_preconditions(request: Request) -> None:
    """Raise `Refused` (412) where a command must not be carried out on what is there now.

    Raises `NotFound` where it would lead to nothing, and `Refused` (403) at another's store.
    """
    current = await _current(request)
    check_tags(request.scope)
    if current is not None and is_known(request.scope, tag_of(current)):
        raise Refused(problem(IS_THERE))


async def _current(request: Request) -> bytes | None:
    """Return what a command changes, as it is read; None where its address stands for nothing.

    An action of an order is such an address: nobody can read `POST …/cancel`.
    """
    siren, ids = siren_of(request), request.path_params
    if "order_id" in ids:
        detail = check_detail(request, await siren.order(ids["order_id"]))
        return detail if request.method == "DELETE" else None
    if "store_id" not in ids:
        return None
    check_store(request, ids["store_id"])
    if "menu_id" not in ids:
        return to_json(await siren.stores.store(ids["store_id"]))
    for item in await siren.stores.menu(ids["store_id"]):
        if item["menu_id"] == ids["menu_id"]:
            return to_json(item)
    raise NotFound("menu_item_not_found", "This store has no menu item with this id.")
