"""Why an SQLite database takes no write: SQLite itself says "disk I/O error", whatever it was."""

import os
from pathlib import Path
from tempfile import TemporaryFile

PAGE = bytes(4096)


def why_unwritable(file: Path) -> str | None:
    """Return what the system says where a database, its log or its folder takes no write.

    None where all of them do, as far as can be seen. Nothing is left behind. The database itself is
    not opened: to close it again would take from this process every lock that SQLite has on it.
    """
    try:
        with TemporaryFile(dir=file.parent, buffering=0) as probe:
            probe.write(PAGE)
        log = file.with_name(file.name + "-wal")
        if log.exists():
            os.close(os.open(log, os.O_WRONLY))
    except OSError as error:
        return str(error.strerror or error).lower()
    return None if os.access(file, os.W_OK) else "the file may not be written"
