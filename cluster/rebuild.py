"""`siren rebuild-view`: replaces the view by a fold of the whole journal, from zero."""

from collections.abc import Callable

from msgspec import MsgspecError

from actors.codec import UnknownEvent
from actors.domain.errors import SirenError
from actors.journal import Journal
from actors.settings import Settings
from cluster.databases import check_files, check_tables
from readmodel import projector
from readmodel.tables import open_database


async def rebuild_view(settings: Settings, progress: Callable[[int, int], None]) -> int:
    """Rebuild the view and return the journal position that it has reached.

    The view stays readable throughout, and the system may be up or down. `progress` gets the
    position reached and the last one. Raises `SirenError` where a database is missing or holds
    what this code cannot read; the view is then as before.
    """
    check_files(settings, "journal", "readmodel")
    journal, view = Journal(settings.url("journal")), open_database(settings.url("readmodel"))
    reached = 0

    def keep(position: int, last_position: int) -> None:
        nonlocal reached
        reached = position
        progress(position, last_position)

    try:
        await check_tables(journal.database)
        await check_tables(view)
        await projector.rebuild(journal, view, keep)
    except (UnknownEvent, MsgspecError, ValueError) as error:
        raise SirenError("journal_unreadable", f"the view is as before: {error}") from error
    finally:
        await journal.close()
        await view.close()
    return reached
