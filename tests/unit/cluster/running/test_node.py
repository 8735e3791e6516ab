"""What a machine needs before Ray runs on it as a node of a cluster."""

import json
import os
from pathlib import Path

import pytest

from actors.contracts.errors import SirenError
from cluster.running import environment, node, node_settings
from cluster.running.run_folder import LONGEST

TOKEN = "t" * 64


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [*environment.CLUSTER, *os.environ]:
        if name.startswith(("RAY_", "SIREN_", "__RAY")):
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(node, "LONGEST", 4096)
    monkeypatch.setattr(node_settings, "SETTINGS_FILES", (tmp_path / "siren.env",))
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text(TOKEN)


def test_a_node_gets_what_ray_and_serve_read_when_they_start(tmp_path: Path) -> None:
    found = node.environment_of()

    assert found.items() >= environment.CLUSTER.items()
    assert found["RAY_SERVE_HAPROXY_BINARY_PATH"] == f"{tmp_path}/.siren/node/haproxy"
    assert found["RAY_gcs_storage_path"] == f"{tmp_path}/.siren/node/gcs"
    assert "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER" not in found


def test_what_the_user_has_set_on_a_node_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_health_check_period_ms", "9")
    monkeypatch.setenv("RAY_gcs_storage_path", "/a/disk/that/stays")

    found = node.environment_of()

    assert not found.keys() & {"RAY_health_check_period_ms", "RAY_gcs_storage_path"}


def test_redis_keeps_what_the_head_knows_where_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_REDIS_ADDRESS", "redis:6379")
    for name in node.STATE_NAMES:  # as a shell of the node's has them
        monkeypatch.setenv(name, "rocksdb")

    assert not (os.environ | node.environment_of()).keys() & set(node.STATE_NAMES)


def test_haproxy_listens_where_the_node_s_settings_say(tmp_path: Path) -> None:
    (tmp_path / "siren.env").write_text("SIREN_HOST=10.0.0.1\n")

    node.environment_of()

    edge = json.loads((tmp_path / ".siren" / "node" / "edge.json").read_text())
    assert edge["host"] == "10.0.0.1"


def test_haproxy_of_each_node_says_the_same_secret_which_is_not_the_token() -> None:
    secret = node.edge_secret()

    assert secret == node.edge_secret()
    assert TOKEN not in secret


def test_without_a_token_for_ray_a_node_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".ray" / "auth_token").unlink()

    with pytest.raises(SirenError, match="auth_token"):
        node.environment_of()


def test_a_short_token_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".ray" / "auth_token").write_text("short")

    with pytest.raises(SirenError, match="characters"):
        node.environment_of()


def test_nobody_else_can_read_the_token_or_the_folder(tmp_path: Path) -> None:
    token = tmp_path / ".ray" / "auth_token"
    token.chmod(0o644)

    node.environment_of()

    assert token.stat().st_mode & 0o077 == 0
    assert (tmp_path / ".siren" / "node").stat().st_mode & 0o077 == 0
    assert (tmp_path / ".siren" / "node" / "edge.json").stat().st_mode & 0o077 == 0


def test_a_folder_whose_sockets_would_have_too_long_a_path_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(node, "LONGEST", LONGEST)

    with pytest.raises(SirenError, match="SIREN_NODE_DIR"):
        node.environment_of(tmp_path / ("x" * LONGEST))


def test_a_node_is_prepared_again_within_its_own_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in node.environment_of().items():
        monkeypatch.setenv(name, value)

    again = node.environment_of()

    assert (
        "/node/haproxy"
        not in (Path(again["RAY_SERVE_HAPROXY_CONFIG_FILE_LOC"]).parent / "edge.json").read_text()
    )
