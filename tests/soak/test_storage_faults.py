"""The storage of real systems fails, at each database: refused in words, nothing lost, no restart.

About 4 minutes on 2 cores. Each database of the first system is on a disk of its own.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.support.outside import (
    ASYNC,
    accepted,
    assert_agreed,
    headers,
    new_order,
    place,
    reaches,
)
from tests.support.storage_faults import (
    assert_says_when_to_come_again,
    disks,
    full,
    locked,
    log_lines,
    made,
    read_meanwhile,
    read_only,
)
from tests.support.system import SERVICES, System, eventually

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes disks and files without writes"),
]
ON_DISKS = ("journal", "payments", "stores", "readmodel")
DATABASES = (*ON_DISKS, "provider")
"""The provider's is beside the payments."""
DISK_MB = 64
CUSTOMERS = 4
LOCKED_S = 20.0
BACK_S = 30.0
"""So soon after a fault an order is served again, on a busy machine, too."""


@dataclass(frozen=True)
class Shop:
    """A system, and the file of each of its databases."""

    system: System
    files: dict[str, Path]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("disks")
    with ExitStack() as stack:
        places = disks(folder, ON_DISKS, DISK_MB, stack)
        places["provider"] = places["payments"]
        files = {name: places[name] / f"{name}.db" for name in DATABASES}
        urls = {f"{name}_url": f"sqlite+aiosqlite:///{files[name]}" for name in ON_DISKS}
        system = System(folder / "data", breaker_reset_s=1, **urls)
        system.data_dir.mkdir()
        for name, file in files.items():  # where those who read it by SQL look
            (system.data_dir / f"{name}.db").symlink_to(file)
        stack.callback(system.stop)
        system.start()
        yield Shop(system, files)
        audit = system.siren("verify")
        assert audit.returncode == 0, audit.stdout


@contextmanager
def locked_for_long(file: Path) -> Iterator[None]:
    """Hold the lock of a database for 20 s, or longer if that is what the block takes."""
    with locked(file):
        began = time.monotonic()
        yield
        time.sleep(max(0.0, began + LOCKED_S - time.monotonic()))


FAULTS: dict[str, tuple[Callable[[Path], AbstractContextManager[None]], str]] = {
    "full": (lambda file: full(file.parent), "database or disk is full"),
    "read-only": (read_only, "disk I/O error: operation not permitted"),
    "locked": (locked_for_long, "database is locked"),
}
"""How each is brought about, and the words of the log for it."""


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("database", DATABASES)
def test_a_database_that_takes_no_write_is_told_and_taken_up_again_without_a_restart(
    shop: Shop, database: str, fault: str
) -> None:
    begin, words = FAULTS[fault]
    with survived(shop.system) as reads, begin(shop.files[database]):
        goes_on(reads)
        eventually(partial(is_told, shop.system, f"{database}.db: {words}"), "it is told")
        if database in REFUSED:
            answer = eventually(partial(refusal, REFUSED[database], shop.system), "503")
            assert_says_when_to_come_again(answer)


@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_all_databases_that_take_no_write_are_taken_up_again_without_a_restart(
    shop: Shop, fault: str
) -> None:
    begin, words = FAULTS[fault]
    with survived(shop.system) as reads, ExitStack() as faults:
        files = shop.files if fault == "read-only" else dict.fromkeys(ON_DISKS, Path())
        for database in files:
            faults.enter_context(begin(shop.files[database]))
        goes_on(reads)
        answer = eventually(partial(refusal, order, shop.system), "503")
        assert_says_when_to_come_again(answer)
        assert eventually(lambda: shop.system.http.get("/readyz").status_code == 503, "not ready")
        eventually(partial(is_told, shop.system, f"journal.db: {words}"), "it is told")


@contextmanager
def survived(system: System) -> Iterator[Counter[int]]:
    """Let customers order while the block lasts, and one look at an order: the statuses of that.

    In the end all is right, every look was answered, and no process was replaced.
    """
    known, before = accepted(system), pids(system)
    with ThreadPoolExecutor(CUSTOMERS) as customers:
        with read_meanwhile(system, f"/order-details/{known}") as reads:
            # Before the fault, so that each database has something to write in it.
            placed = [customers.submit(place, system, prefer=ASYNC) for _ in range(CUSTOMERS)]
            yield reads
            began = time.monotonic()
            last = eventually(partial(made, system), "an order is made again", BACK_S)
            print(f"an order was made {time.monotonic() - began:.1f} s after it")
        orders = [known, last, *(each.result()["order_id"] for each in placed)]
    assert reads.keys() == {200}, reads
    for order_id in orders:
        reaches(system, order_id, "ACCEPTED")
        assert_agreed(system, order_id)
    assert pids(system) == before


def goes_on(reads: Counter[int]) -> None:
    """Wait until an order was looked at a few times more."""
    before = reads.total()
    eventually(lambda: reads.total() > before + 5, "it is looked at")


def pids(system: System) -> dict[str, list[int]]:
    """Return who the services are."""
    return {title: [p.pid for p in system.processes(title)] for title in SERVICES}


def order(system: System) -> httpx.Response:
    """Place an order once."""
    return system.http.post("/orders", json=new_order(), headers=headers(prefer=ASYNC))


def change_capacity(system: System) -> httpx.Response:
    """Change something at the store, another thing each time."""
    capacity = 1000 + int(time.monotonic() * 1000) % 1000
    return system.http.patch("/stores/gangnam", json={"capacity": capacity})


REFUSED: dict[str, Callable[[System], httpx.Response]] = {
    "journal": order,
    "stores": change_capacity,
}
"""What is refused while a database takes no write; orders wait for all others, and are accepted."""


def is_told(system: System, words: str) -> bool:
    """Give every service something to write, and return whether the log has these words."""
    order(system)
    change_capacity(system)
    return any(words in line for line in log_lines(system))


def refusal(ask: Callable[[System], httpx.Response], system: System) -> httpx.Response | None:
    """Ask, and return the answer if it is a refusal."""
    answer = ask(system)
    return answer if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE else None
