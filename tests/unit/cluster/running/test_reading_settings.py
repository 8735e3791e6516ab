"""Where each setting came from, and variables that were meant for one."""

import logging
import pickle
from pathlib import Path

import pytest

from actors.settings_file import CONFIG
from cluster.running.node_settings import cluster_settings
from cluster.running.reading_settings import GIVEN, as_given, read_settings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the environment names."""
    file = tmp_path / "siren.toml"
    monkeypatch.setenv(CONFIG, str(file))
    return file


def test_each_setting_knows_the_source_that_won(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tmp_path / "siren.env"
    names = ("port", "max_in_flight", "rate_limit", "dedicated_max")
    node.write_text("SIREN_DEDICATED_MAX=1\nSIREN_RATE_LIMIT=1/hour\n")
    file.write_text('rate_limit = "2/hour"\nmax_in_flight = 1\n')
    monkeypatch.setenv("SIREN_MAX_IN_FLIGHT", "3")
    monkeypatch.setenv("siren_port", "4000")

    found = read_settings(node, port=5000)

    values = [getattr(found, name) for name in names]
    assert values == [5000, 3, "2/hour", 1]
    assert [found.origins.get(name) for name in names] == [
        GIVEN,
        "SIREN_MAX_IN_FLIGHT",
        str(file),
        str(node),
    ]
    assert "order_hosts" not in found.origins
    assert pickle.loads(pickle.dumps(found)).origins == found.origins


def test_what_every_cluster_has_is_not_said_to_be_a_default() -> None:
    assert {"auth", "host"} <= cluster_settings().origins.keys()


def test_a_wrong_setting_is_named_as_it_was_given(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("port = 1\n")
    assert as_given("port") == f"port in {file}"
    monkeypatch.setenv("SIREN_PORT", "1")
    assert as_given("port") == "SIREN_PORT"


def test_a_variable_that_is_no_setting_is_told_of_with_what_was_meant(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SIREN_RATELIMIT", "3/hour")
    monkeypatch.setenv("SIREN_CHROMIUM", "/usr/bin/chromium")
    monkeypatch.setenv("SIREN_TEST_CLUSTER", "1")
    monkeypatch.setenv("SIREN_NODE_DIR", "/srv/node")

    with caplog.at_level(logging.WARNING):
        read_settings()
        read_settings()

    assert [record.getMessage() for record in caplog.records] == [
        "SIREN_RATELIMIT is no setting, and changes nothing: did you mean SIREN_RATE_LIMIT?"
    ]
