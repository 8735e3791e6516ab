"""What headings are measured on: a system that runs, or throw-away ones."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Self

from actors.settings import Settings
from cluster.headings.own_system import OwnSystem, own_system
from cluster.headings.site import Site

QUICK = 10
"""How much less is done for a quick look."""
LEAST_S = 2.0
LEAST_REQUESTS = 500


class Target:
    """Gives headings the system that they share, and systems of their own.

    `running`: settings of a system that runs, to be measured instead of a throw-away one; what
    would change or harm it is still done to systems of their own. `say` is told what goes on.
    """

    def __init__(
        self, say: Callable[[str], None], running: Settings | None = None, *, quick: bool = False
    ) -> None:
        self.say = say
        self.quick = quick
        self._running = running
        self._site: Site | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    def seconds(self, usual: float) -> float:
        """Return for how many seconds to do what `usual` takes."""
        return max(LEAST_S, usual / QUICK) if self.quick else usual

    def requests(self, usual: int) -> int:
        """Return how many requests to send where `usual` many are."""
        return max(LEAST_REQUESTS, usual // QUICK) if self.quick else usual

    async def site(self) -> Site:
        """Return the system that headings share; a throw-away one starts with the first of them.

        Raises `SirenError` where it does not run.
        """
        if self._site is None:
            self._site = await self._found()
        return self._site

    async def _found(self) -> Site:
        if self._running is not None:
            site = Site(self._running.data_dir.absolute())
            await site.sign_in(self._running)
            return site
        self.say("starting a throw-away system")
        return await self._stack.enter_async_context(own_system())

    @asynccontextmanager
    async def own(self, **settings: object) -> AsyncIterator[OwnSystem]:
        """Run a system for one heading alone, with `settings` by their names in `Settings`.

        The shared throw-away system ends first: two at a time would disturb each other's figures.
        """
        if self._running is None:
            self._site = None
            await self._stack.aclose()
        self.say("starting a system of its own")
        async with own_system(**settings) as system:
            yield system
