"""The orders that the view sets aside since their events cannot be folded.

They are noted in the journal's database, so that they are known whatever becomes of the view.
"""

from collections.abc import Iterable, Sequence

from actors.contracts.errors import Damaged
from actors.order.domain.failure import VIEW, Failure
from actors.order.failures import cause_of
from actors.order.journal import Journal
from actors.runtime.clock import utc_now
from readmodel.folding import Folded, ViewIncomplete
from readmodel.loading import load_whole


class SetAside:
    """Who is set aside, of one projection. Raises `Unavailable` where the journal is away."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._causes: dict[str, tuple[str, str]] = {}
        self._noted: set[str] = set()

    def __contains__(self, order_id: object) -> bool:
        return order_id in self._causes

    @property
    def noted(self) -> list[str]:
        """Whom the journal has noted, as far as this projection knows."""
        return list(self._noted)

    async def recall(self, *, anew: bool) -> None:
        """Begin with what the journal has noted; `anew`: with nobody, for all are folded again."""
        lasting = await self._journal.failures.lasting(VIEW)
        self._noted = {each.order_id for each in lasting}
        self._causes = {} if anew else {each.order_id: (each.code, each.cause) for each in lasting}

    async def add(self, failed: dict[str, Exception]) -> None:
        """Set orders aside, durably; nothing is written for those of which that is known."""
        now = utc_now()
        causes = {order_id: _told(error) for order_id, error in failed.items()}
        news = [
            Failure(order_id, VIEW, 1, now, now, *cause, set_aside=True)
            for order_id, cause in causes.items()
            if self._causes.get(order_id) != cause
        ]
        if news:
            await self._journal.failures.write(news, (), now)
        self._causes |= causes
        self._noted |= causes.keys()

    async def try_again(self, order_ids: Sequence[str]) -> dict[str, Folded]:
        """Return those of some orders that can be folded from their whole history.

        They may be ahead of the projection, whose later events then change nothing.
        """
        folded, failed = await load_whole(self._journal, order_ids)
        for order_id in folded:
            self._causes.pop(order_id, None)
        await self.add({k: error for k, error in failed.items() if k in self._noted})
        return folded

    async def forget(self, order_ids: Iterable[str]) -> None:
        """Note that those of some orders that are not set aside any more are in the view again."""
        mended = self._noted.intersection(order_ids) - self._causes.keys()
        if mended:
            ended = [(order_id, VIEW) for order_id in mended]
            await self._journal.failures.write((), ended, utc_now())
            self._noted -= mended


def _told(error: Exception) -> tuple[str, str]:
    if isinstance(error, Damaged):
        return cause_of(error)
    words = type(error).__name__
    if isinstance(error, ViewIncomplete):
        words = "the journal has not its first one"
    elif type(error) is ValueError:  # the domain's own words: they name ids and versions
        words = str(error)
    return "not_foldable", f"its events cannot be folded: {words}"
