"""What a deploy takes over from the system that runs on one machine, and what it refuses."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from actors.contracts.errors import SirenError
from actors.installation import Installation, Release
from actors.runtime.lock_file import LOCK_NAME
from actors.settings import Settings
from cluster.operations.settings_report import takes
from cluster.running.places import OnOneMachine, check_same_databases

METRICS = "http://127.0.0.1:9200/metrics"
DATABASE = "postgresql+asyncpg://siren:one@db:5432/siren"

OTHER: dict[str, Any] = {
    "host": "0.0.0.0",
    "port": 9100,
    "metrics_port": 9201,
    "data_dir": Path("elsewhere"),
    "database_url": DATABASE,
    "journal_url": DATABASE,
    "payments_url": DATABASE,
    "stores_url": DATABASE,
    "readmodel_url": DATABASE,
    "auth": "required",
    "jwt_secret": "s" * 32,
    "jwks_url": "https://id.example/keys",
    "jwks_issuer": "https://id.example",
    "jwks_audience": "siren",
    "actor_ports": "31000-31099",
    "metrics": "off",
    "log_format": "json",
    "otlp_endpoint": "http://127.0.0.1:4318",
    "order_isolation": "dedicated",
    "order_hosts": 2,
}
"""Each setting that does not change live, as it is not by default."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder on which a system seems to run."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "edge.json").write_text(json.dumps({"secret": "of-haproxy"}))
    lock = tmp_path / LOCK_NAME
    lock.write_text(
        json.dumps({"url": "http://127.0.0.1:9099", "run": str(run), "metrics": METRICS})
    )
    lock.chmod(0o600)
    return tmp_path


def test_the_address_stays_that_of_the_running_system(folder: Path) -> None:
    found = OnOneMachine(folder).settings(Settings(data_dir=folder, rate_limit="7/second"))
    assert (found.host, found.port, found.rate_limit) == ("127.0.0.1", 9099, "7/second")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"port": 9100}, r"SIREN_PORT is 9099 .* to 9100, `siren down`, then `siren up`"),
        ({"host": "0.0.0.0"}, "SIREN_HOST is 127.0.0.1"),
        ({"metrics_port": 9201}, "SIREN_METRICS_PORT is 9200"),
    ],
)
def test_another_address_takes_a_restart_and_is_refused(
    folder: Path, given: dict[str, object], words: str
) -> None:
    with pytest.raises(SirenError, match=words):
        OnOneMachine(folder).settings(Settings(data_dir=folder, **given))  # type: ignore[arg-type]


def test_the_same_address_may_be_given(folder: Path) -> None:
    given = Settings(data_dir=folder, port=9099, host="127.0.0.1", metrics_port=9200)
    assert OnOneMachine(folder).settings(given).port == 9099


def test_the_gateway_gets_the_secret_of_the_haproxy_that_runs(folder: Path) -> None:
    installation = Installation(Settings(data_dir=folder), b"", 1)
    assert OnOneMachine(folder).secrets(installation)[1] == "of-haproxy"


def test_a_release_runs_on_the_interpreter_that_deployed_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/code")
    release = OnOneMachine(folder).release("one")
    assert release.id == "one"
    assert release.runtime_env() == {
        "py_executable": sys.executable,
        "env_vars": {"PYTHONPATH": "/code"},
    }
    assert Release().runtime_env() is None


def test_a_running_system_is_not_moved_to_another_database() -> None:
    before = Settings(database_url=DATABASE)
    after = Settings(database_url=DATABASE.replace("/siren", "/other"))
    with pytest.raises(SirenError, match=r"the database of journal is .*db:5432/siren"):
        check_same_databases(before, after)


def test_what_is_said_to_take_a_restart_is_what_a_deploy_refuses(folder: Path) -> None:
    assert OTHER.keys() == {name for name in Settings.model_fields if takes(name) is not None}
    before, place = Settings(data_dir=folder), OnOneMachine(folder)
    refused = set()
    for name, value in OTHER.items():
        given: dict[str, Any] = {"data_dir": folder} | {name: value}
        try:
            check_same_databases(before, place.settings(Settings(**given)))
        except SirenError:
            refused.add(name)
    assert refused == {name for name in OTHER if takes(name) == "restart"}


def test_another_password_is_the_same_database_and_is_not_told() -> None:
    before = Settings(database_url=DATABASE)
    after = Settings(database_url=DATABASE.replace(":one@", ":two@"))
    check_same_databases(before, after)
    with pytest.raises(SirenError) as refused:
        check_same_databases(before, Settings())
    assert ":one" not in refused.value.detail
