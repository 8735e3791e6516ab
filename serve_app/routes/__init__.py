"""The routes of the HTTP contract, one module a resource, and the pages."""

from serve_app.routes import health, order_details, orders, pages, payments, pickups, stores, stream

ROUTERS = (
    order_details.router,  # first: routes are tried in turn, and this is read most
    orders.router,
    stream.router,
    pickups.router,
    payments.router,
    stores.router,
    health.router,
    pages.router,
)
