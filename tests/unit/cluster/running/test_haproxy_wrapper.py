"""What happens between Serve's manager and HAProxy, when either is started again."""

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.running.haproxy_wrapper import LAST_GOOD, choose, pid_of, replace, take_over

SERVING = "frontend http_frontend\n    use_backend http-siren if is_http-siren\n"
STARTING = "frontend http_frontend\n"


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[socket.socket]:
    """An admin socket on which somebody listens and says nothing."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "admin.sock"))
        listener.listen()
        yield listener


def test_a_manager_that_knows_no_application_yet_goes_on_with_those_before(tmp_path: Path) -> None:
    last_good = tmp_path / LAST_GOOD
    assert choose(STARTING, last_good) == STARTING
    assert choose(SERVING, last_good) == SERVING
    assert choose(STARTING, last_good) == SERVING


def test_the_configuration_is_the_owner_s_alone(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text("Serve's")
    file.chmod(0o644)
    replace(file, "ours")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["haproxy.cfg"]


def test_where_no_haproxy_runs_there_is_nothing_to_take_over(tmp_path: Path) -> None:
    assert take_over(tmp_path / "admin.sock") == ()


def test_a_haproxy_that_says_nothing_is_not_taken_for_dead(
    admin: socket.socket, tmp_path: Path
) -> None:
    assert admin.fileno() > 0
    with pytest.raises(TimeoutError):
        pid_of(tmp_path / "admin.sock", timeout=0.05)
