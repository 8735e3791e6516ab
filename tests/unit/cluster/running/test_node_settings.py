"""Where a cluster's node has its settings, and which of several wins."""

import logging
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from actors.contracts.errors import SirenError
from actors.settings import Settings
from cluster.running import node_settings
from cluster.running.node_settings import cluster_settings, node_host

URL = "postgresql+asyncpg://siren@db/siren"


@pytest.fixture(autouse=True)
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_settings, "SETTINGS_FILES", ())
    for name in [name for name in os.environ if name.startswith("SIREN_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one file of the node."""
    file = tmp_path / "siren.env"
    monkeypatch.setattr(node_settings, "SETTINGS_FILES", (file,))
    return file


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
def test_nobody_is_the_owner_of_a_cluster_without_signing_in(host: str) -> None:
    assert not cluster_settings(host=host, auth="auto").owner_mode


def test_a_cluster_s_gateway_listens_for_everybody_unless_an_address_is_given() -> None:
    assert cluster_settings().host == "0.0.0.0"
    assert cluster_settings(host="10.0.0.1").host == "10.0.0.1"


def test_what_is_given_goes_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "siren.env"
    file.write_text(
        f"SIREN_DATABASE_URL={URL}\nSIREN_RATE_LIMIT=1/second\nSIREN_ORDER_HOSTS=2\n"
        "SIREN_MAX_IN_FLIGHT=7\n"
    )
    monkeypatch.setenv("SIREN_RATE_LIMIT", "2/second")
    monkeypatch.setenv("SIREN_ORDER_HOSTS", "3")

    found = cluster_settings(file, order_hosts=4)

    assert found.url("journal") == URL
    assert (found.max_in_flight, found.rate_limit, found.order_hosts) == (7, "2/second", 4)


def test_the_first_file_that_a_node_has_is_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "second").write_text("SIREN_MAX_IN_FLIGHT=8\n")
    (tmp_path / "third").write_text("SIREN_MAX_IN_FLIGHT=9\n")
    files = tuple(tmp_path / name for name in ("first", "second", "third"))
    monkeypatch.setattr(node_settings, "SETTINGS_FILES", files)

    assert cluster_settings().max_in_flight == 8


def test_a_file_that_was_named_and_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(SirenError, match="no file"):
        cluster_settings(tmp_path / "missing.env")


def test_a_wrong_setting_in_a_file_is_named_without_its_value(tmp_path: Path) -> None:
    file = tmp_path / "siren.env"
    file.write_text("SIREN_JWT_SECRET=too-short-a-secret\n")

    with pytest.raises(ValidationError) as refused:
        cluster_settings(file)

    assert "jwt_secret" in str(refused.value)
    assert "too-short-a-secret" not in str(refused.value)


def test_the_settings_of_one_machine_stay_what_they_are() -> None:
    assert Settings().host == "127.0.0.1"


def test_nobody_else_can_read_the_file_then(file: Path) -> None:
    file.write_text(f"SIREN_DATABASE_URL={URL}\n")
    file.chmod(0o644)

    cluster_settings()

    assert file.stat().st_mode & 0o777 == 0o600


def test_a_file_of_somebody_else_that_all_can_read_is_told_of(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text(f"SIREN_DATABASE_URL={URL}\n")
    file.chmod(0o644)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)

    with caplog.at_level(logging.WARNING):
        cluster_settings()

    assert f"{file}, which holds secrets, is open to everybody" in caplog.text


@pytest.mark.parametrize("line", ["RAY_USE_TLS=1", "SIREN_DATABSE_URL=x", "SIREN_NODE_DIR=/x"])
def test_a_line_that_is_no_setting_is_named_as_it_stands_there(file: Path, line: str) -> None:
    file.write_text(f"SIREN_RATE_LIMIT=1/second\n{line}\n")

    with pytest.raises(SirenError) as refused:
        cluster_settings()

    assert f"{file} has {line.partition('=')[0]}: " in refused.value.detail


@pytest.mark.parametrize("unreadable", ["is_file", "stat"])
def test_a_file_that_cannot_be_read_is_said(
    file: Path, monkeypatch: pytest.MonkeyPatch, unreadable: str
) -> None:
    file.touch()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, unreadable, refuse)
    with pytest.raises(SirenError, match=f"cannot read the settings in {file}: Permission denied"):
        cluster_settings()


def test_a_file_that_is_no_text_is_said(file: Path) -> None:
    file.write_bytes(b"SIREN_RATE_LIMIT=\xff\n")

    with pytest.raises(SirenError, match="it is no text"):
        cluster_settings()


def test_haproxy_listens_where_the_environment_says_or_else_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert node_host() == "0.0.0.0"
    file.write_text("SIREN_HOST=10.0.0.1\n")
    assert node_host() == "10.0.0.1"
    monkeypatch.setenv("SIREN_HOST", "10.0.0.2")
    assert node_host() == "10.0.0.2"
