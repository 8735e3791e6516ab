"""What a trial of a new version runs: each kind of process of the system, and real work for it.

All that is written is what any start of the system writes: tables that are missing. No order, no
payment and no ticket is touched, and the view is folded in memory alone.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Any, Protocol

import ray
from pydantic import SecretBytes, SecretStr
from starlette.types import ASGIApp, Message

from actors.contracts.errors import Damaged, Unavailable, UnknownEvent
from actors.installation import Installation
from actors.order.actor import OrderActor
from actors.order.domain.order import fold
from actors.order.journal import Journal
from actors.payment.actor import PaymentActor
from actors.payment.queries import PaymentQueries
from actors.peers import ORDER_HOST, Peers
from actors.runtime.ray_actors import NAMESPACE
from actors.store.actor import StoreActor
from actors.store.queries import StoreQueries
from readmodel.folding import Folded, row_of
from readmodel.queries import OrderDetails
from serve_app.contract.identity import Identity, Role
from serve_app.gateway import Gateway
from serve_app.middleware.own_system import HEADER
from serve_app.security.tokens import issue

NO_ORDER = "0" * 35
"""An id that no order has: its host has nothing to carry on."""
NEWEST = 200
"""Events that a new version must be able to read and to fold."""
PATHS = ("/healthz", "/", "/stores", "/order-details?limit=1", "/payments?limit=1", "/docs")
UNAVAILABLE, SERVER_ERROR = 503, 500
"""503 is what a gateway answers whose databases are away: no fault of its own."""
TOKEN_LIFE = timedelta(minutes=10)


class Kind(Protocol):
    """One kind of process of the system. Both raise whatever is wrong with it."""

    async def begin(self, installation: Installation) -> None:
        """Start as the process itself does."""

    async def look(self) -> None:
        """Do some of its real work."""


class FaultyGateway(Exception):
    """The gateway answers a request as it never should."""

    def __init__(self, path: str, status: int) -> None:
        super().__init__(path, status)

    def __str__(self) -> str:
        return "it answers {1} to GET {0}".format(*self.args)


def _find(name: str) -> Any:
    return ray.get_actor(name, NAMESPACE)


FINDING = Peers(
    payment=lambda _: _find("payment"),
    store=lambda _: _find("store"),
    projection=lambda _: _find("projection"),
    order_host=lambda _installation, _peers, host: _find(f"{ORDER_HOST}{host}"),
)
"""The services that run: a trial creates none that is missing."""


class OrderHostKind:
    """An order host of an order that there is not."""

    async def begin(self, installation: Installation) -> None:
        """Start it."""
        self._actor = OrderActor(installation, FINDING, None, NO_ORDER)
        self._journal = Journal(installation.settings.url("journal"))

    async def look(self) -> None:
        """Write to the journal as a readiness check does, and fold the newest orders."""
        await self._actor.ready()
        await self._actor.describe()
        await self._actor.endpoint()
        last = await self._journal.last_position()
        try:
            newest = await self._journal.read_after(max(0, last - NEWEST), NEWEST)
        except Damaged:  # it is told elsewhere, and was there before
            return
        for history in await self._journal.load_each([each.order_id for _, each in newest]):
            if isinstance(history, UnknownEvent):
                raise history
            if not isinstance(history, Damaged):
                fold(history.events)


class PaymentKind:
    """A payment actor that nobody asks for money."""

    async def begin(self, installation: Installation) -> None:
        """Start it."""
        self._actor = object.__new__(PaymentActor)
        await self._actor.__init__(installation)  # type: ignore[misc]
        self._queries = PaymentQueries(installation.settings.url("payments"), installation.secret)

    async def look(self) -> None:
        """Read what it would serve."""
        await self._actor.describe()
        await self._actor.endpoint()
        with suppress(Unavailable):  # its server may be away: so it is for the former version
            await self._queries.page(limit=1)


class StoreKind:
    """A store actor without tickets."""

    async def begin(self, installation: Installation) -> None:
        """Start it."""
        self._actor = object.__new__(StoreActor)
        await self._actor.__init__(installation)  # type: ignore[misc]
        self._queries = StoreQueries(installation.settings.url("stores"), installation.secret)

    async def look(self) -> None:
        """Read what it would serve."""
        await self._actor.describe()
        await self._actor.endpoint()
        with suppress(Unavailable):  # as above
            await self._queries.stores()


class ProjectionKind:
    """A projection that writes nothing: two that fold differently would be two truths."""

    async def begin(self, installation: Installation) -> None:
        """Open journal and view."""
        settings = installation.settings
        self._journal = Journal(settings.url("journal"))
        self._details = OrderDetails(settings.url("readmodel"), installation.secret)

    async def look(self) -> None:
        """Make rows of the orders that the newest events are of."""
        with suppress(Unavailable):  # as above
            position = await self._details.position()
            newest = await self._journal.read_after(max(0, position - NEWEST), NEWEST)
            order_ids = list({each.order_id for _, each in newest})
            for history in await self._journal.load_each(order_ids):
                if isinstance(history, Exception):
                    continue  # the order host's trial has told
                order = fold(history.events)
                assert order is not None
                row_of(Folded(position, position, order, history.private))


class GatewayKind:
    """A gateway that is asked in its own process."""

    def __init__(self, token_secret: bytes, system_secret: str) -> None:
        self._token_secret, self._system_secret = token_secret, system_secret

    async def begin(self, installation: Installation) -> None:
        """Start it."""
        secrets = SecretBytes(self._token_secret), SecretStr(self._system_secret)
        gateway = Gateway(installation, FINDING, *secrets)
        self._app = gateway.__serve_build_asgi_app__()
        owner, _ = issue(self._token_secret, Identity("deploy", Role.OWNER), TOKEN_LIFE)
        self._headers = [
            (b"host", b"localhost"),
            (b"accept", b"*/*"),
            (b"authorization", f"Bearer {owner}".encode()),
            (HEADER, self._system_secret.encode()),
        ]

    async def look(self) -> None:
        """Ask for pages and lists."""
        for path in PATHS:
            status = await status_of(self._app, path, self._headers)
            if status >= SERVER_ERROR and status != UNAVAILABLE:
                raise FaultyGateway(path, status)


async def status_of(app: ASGIApp, address: str, headers: list[tuple[bytes, bytes]]) -> int:
    """Return the status that an application answers to a GET; raises what it raises."""
    path, _, query = address.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }
    found = [SERVER_ERROR]

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    await app(scope, receive, send)
    return found[-1]
