"""The running system that is to be broken: whether it may be, and what can be done to it here."""

import random
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from sqlalchemy import make_url

from actors.contracts.errors import SirenError
from actors.settings import SERVICES, Settings, is_loopback
from cluster.chaos import connections, databases, signals
from cluster.chaos.clients import Clients, Node
from cluster.chaos.fault import Fault
from cluster.chaos.guard import Guard
from cluster.headings.site import Site

LISTENS_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where it does, not we
OF_OTHERS = ("cut-clients", "cut-gateway", "cut-actors", "cut-databases")


def faults_of(settings: Settings, port: int, guard: Guard, seed: int) -> list[Fault]:
    """Return all that can be done to a system; what is chosen among its processes is the seed's."""
    chance = random.Random(f"targets {seed}")  # noqa: S311 - no secret
    folder = settings.data_dir.absolute()
    return [
        *signals.faults(folder, guard, chance),
        *databases.faults(settings),
        *connections.faults(settings, port),
    ]


class Ground:
    """The system that `siren up` runs on this machine, on the data folder of some settings.

    Raises `Unavailable` where none does.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._site = Site(settings.data_dir.absolute())
        self.url = self._site.url
        host = urlsplit(self.url).hostname or ""
        self.node = Node(LISTENS_ANYWHERE.get(host, host), self._site.port)

    async def clients(self, last_fault: Callable[[], str]) -> Clients:
        """Return clients of it, with a token where it wants one; raises `SirenError`."""
        try:
            await self._site.sign_in(self._settings)
        except (OSError, ValueError) as error:
            detail = f"the system at {self.url} does not answer: see `siren status`"
            raise SirenError("no_answer", detail) from error
        return Clients([self.node], self._site.token, last_fault)

    def check_own(self) -> None:
        """Raise `SirenError` where others may depend on it; after `clients`."""
        wants_token = self._site.token is not None
        reasons = list(exposed(self._settings, self.url, wants_token=wants_token))
        if reasons:
            detail = (
                f"the system at {self.url} looks as if others depended on it: "
                f"{'; '.join(reasons)}. With --public it is broken all the same"
            )
            raise SirenError("public", detail)

    def possible(self, faults: list[Fault]) -> tuple[list[Fault], dict[str, str]]:
        """Return those faults that can be applied here, and why the others cannot.

        Raises `SirenError` where none can.
        """
        lacking = connections.lacking(self._settings.data_dir.absolute())
        out = {} if lacking is None else dict.fromkeys(OF_OTHERS, lacking)
        left_out = {fault.name: out[fault.name] for fault in faults if fault.name in out}
        if len(left_out) == len(faults):
            raise SirenError("no_fault", next(iter(left_out.values())))
        return [fault for fault in faults if fault.name not in left_out], left_out


def exposed(settings: Settings, url: str, *, wants_token: bool) -> Iterator[str]:
    """Yield why others may depend on a system: nobody expects it to be broken then."""
    host = urlsplit(url).hostname or ""
    if not is_loopback(host):
        yield f"it listens on {host}, which other machines can reach"
    if wants_token:
        yield "it demands tokens"
    if settings.jwks_url is not None:
        yield "an identity provider signs its tokens"
    for service in SERVICES:
        database = make_url(settings.url(service)).host
        if database and not is_loopback(database):
            yield f"its {service} is on {database}"
            return
