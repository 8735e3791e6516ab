"""`siren rebuild-view`: replaces the view by a fold of the whole journal, from zero."""

from collections.abc import Callable

from msgspec import MsgspecError

from actors.contracts.errors import Damaged, SirenError, UnknownEvent
from actors.order.journal import Journal
from actors.runtime.database import Database
from actors.runtime.database_faults import file_of, noted_damage
from actors.settings import Settings
from cluster.operations.read_only import check_files, check_tables
from readmodel import projector
from readmodel.new_file import fold_into_new_file
from readmodel.tables import open_database


async def rebuild_view(settings: Settings, progress: Callable[[int, int], None]) -> int:
    """Rebuild the view and return the journal position that it has reached.

    The view stays readable throughout, and the system may be up or down. `progress` gets the
    position reached and the last one. Raises `SirenError` where a database is missing or holds
    what this code cannot read; the view is then as before.
    """
    check_files(settings, "journal")
    journal, view = Journal(settings.url("journal")), open_database(settings.url("readmodel"))
    reached = 0

    def keep(position: int, last_position: int) -> None:
        nonlocal reached
        reached = position
        progress(position, last_position)

    try:
        await check_tables(journal.database)
        await _rebuild(settings.url("readmodel"), journal, view, keep)
    except (UnknownEvent, MsgspecError, ValueError) as error:
        raise SirenError("journal_unreadable", f"the view is as before: {error}") from error
    finally:
        await journal.close()
        await view.close()
    return reached


async def _rebuild(
    url: str, journal: Journal, view: Database, progress: Callable[[int, int], None]
) -> None:
    file = file_of(url)
    if file is None or (file.is_file() and noted_damage(file) is None):
        try:
            await check_tables(view)
            await projector.rebuild(journal, view, progress)
        except Damaged:
            if file is None:
                raise
        else:
            return
    if file is not None:
        await fold_into_new_file(journal, url, file, progress)
