"""Whether there is a store of some name. Reads only."""

from actors.contracts.errors import SirenError
from actors.runtime.database_faults import file_of
from actors.settings import Settings
from actors.store.queries import StoreQueries
from cluster.operations.database_urls import check_urls


async def check_store(settings: Settings, store_id: str) -> None:
    """Raise `SirenError` where there is no such store, or where the stores cannot be read."""
    check_urls(settings)
    file = file_of(settings.url("stores"))
    if file is not None and not file.exists():
        return  # the first `siren up` has made the secret, and was ended before it made the stores
    queries = StoreQueries(settings.url("stores"))
    try:
        known = [store["store_id"] for store in await queries.stores()]
    finally:
        await queries.close()
    if store_id not in known:
        raise SirenError("unknown_store", f"there is no store {store_id}, only {', '.join(known)}")
