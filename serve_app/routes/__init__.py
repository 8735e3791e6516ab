"""The routes of the HTTP contract, one module a resource, and the pages."""

from serve_app.routes import (
    docs,
    health,
    order_details,
    order_stream,
    orders,
    pages,
    payments,
    pickups,
    session,
    stores,
)

ROUTERS = (
    order_details.router,  # first: routes are tried in turn, and this is read most,
    orders.router,  # and then orders are placed
    order_details.lists,
    order_stream.router,
    pickups.router,
    payments.router,
    stores.router,
    session.router,
    health.router,
    docs.documents,
    docs.router,
    pages.router,
)
