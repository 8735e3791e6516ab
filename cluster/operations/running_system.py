"""The running system that a command means, of a data folder or on a cluster, joined for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from actors.contracts.errors import Unavailable
from actors.runtime.lock_file import is_held, ray_address
from actors.settings import Settings
from cluster.operations.status_anywhere import cluster_of, is_of_a_folder
from cluster.running.node_settings import cluster_settings


@contextmanager
def joined(
    settings: Settings, address: str | None, file: Path | None, *, given: bool
) -> Iterator[tuple[Settings, bool]]:
    """Join the system that is meant while the block lasts; `given`: its data folder was named.

    The block gets the settings that it was started with, and True; where none runs, those that it
    would be started with, and False. Raises `SirenError`.
    """
    folder = settings.data_dir.absolute()
    if address is None and is_of_a_folder(settings, given=given):
        found = ray_address(folder) if is_held(folder) else None
    else:
        found = cluster_of(address)
        if found is not None:
            settings = cluster_settings(file)
    if found is None:
        yield settings, False
        return
    import ray  # noqa: PLC0415 - it takes seconds, which only who needs it should wait for

    try:
        running = _settings_at(found)
        yield running or settings, running is not None
    finally:
        ray.shutdown()


def _settings_at(address: str) -> Settings | None:
    """Join a Ray, and return the settings of the system on it; None where there is none."""
    from cluster.client import find_installation  # noqa: PLC0415 - as above
    from cluster.running.cluster_address import join_cluster  # noqa: PLC0415 - as above

    join_cluster(address)
    try:
        return find_installation(address).settings
    except Unavailable:
        return None
