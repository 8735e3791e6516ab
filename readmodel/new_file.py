"""Another file for a view whose own is damaged or gone: folded beside it, then put in its place."""

import logging
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import make_url

from actors.order.journal import Journal
from actors.runtime.database_faults import PARTS, forget_damage, set_aside
from actors.runtime.syncing import sync_names
from readmodel.projection import Projection
from readmodel.tables import create_tables, open_database

BATCH = 5000

logger = logging.getLogger("siren")


async def fold_into_new_file(
    journal: Journal, url: str, file: Path, progress: Callable[[int, int], None]
) -> None:
    """Fold the whole journal into a new file, and put it in the place of `file`.

    What the old one still has stays readable meanwhile; it is set aside, not deleted. Whoever has
    it open goes over to the new one by itself. Raises what a fold raises: all is then as before.
    """
    new = file.with_name(file.name + ".new")
    for end in PARTS:
        new.with_name(new.name + end).unlink(missing_ok=True)
    new_url = make_url(url).set(database=str(new)).render_as_string(hide_password=False)
    await create_tables(new_url)
    database = open_database(new_url)
    try:
        projection = Projection(journal, database)
        while await projection.fold_next(BATCH):
            progress(projection.position, await journal.last_position())
        await projection.mended()
    finally:
        await database.close()  # the last one to close it leaves no log behind
    logger.error("%s was set aside as %s", file, set_aside(file).name)
    sync_names(file.parent)  # the old one's log, if it came back, would be read into the new one
    new.rename(file)
    forget_damage(file)
