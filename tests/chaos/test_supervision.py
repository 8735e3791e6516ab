"""Ray's own death, signals at any moment, and what is left behind: nothing."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cluster.running import environment
from cluster.running.environment import free_port
from cluster.running.processes import title_of
from cluster.running.stopped import AGENTS
from cluster.running.up import ON_RAY
from tests.support.outside import accepted, assert_agreed, reaches
from tests.support.system import (
    ROOT,
    SERVE_CONTROLLER,
    START_S,
    System,
    eventually,
    program_of,
)

pytestmark = pytest.mark.timeout(560)
END_S = 60.0
"""On an idle machine it takes 2 to 6 s."""


def server(system: System, name: str) -> psutil.Process:
    """Return one of Ray's own processes, by the name of its program."""
    (found,) = [process for process in system.processes() if program_of(process) == name]
    return found


def run_folders() -> set[Path]:
    """Return the folders of all runs on this machine."""
    return set(Path(tempfile.gettempdir()).glob("siren.????????"))


@contextmanager
def starting(folder: Path, port: int, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`siren up` in a process that does not outlive the block; what it says is in `log`."""
    with (
        log.open("wb") as told,
        subprocess.Popen(
            [sys.executable, "-m", "cluster.entry", "up"],
            env=os.environ | {"SIREN_DATA_DIR": str(folder), "SIREN_PORT": str(port)},
            cwd=ROOT,
            stdout=told,
            stderr=subprocess.STDOUT,
            # A shell's background lets SIGINT be ignored by whatever is started from there.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def nothing_is_left(system: System, run: Path) -> None:
    """Check that whatever `siren up` started or made for this run is gone."""
    eventually(lambda: not system.leftovers(), "its processes have ended", END_S)
    assert not run.exists()
    assert environment.port_is_free("127.0.0.1", system.port)


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[System]:
    """A system of its own, for tests that end it."""
    system = System(tmp_path / "data")
    yield system
    system.stop()
    eventually(lambda: not system.leftovers(), "nothing outlives a stop", END_S)


def test_ray_s_death_ends_the_system_with_a_sentence_and_what_is_stopped_of_it_goes_on(
    mortal: System,
) -> None:
    mortal.start()
    order_id = accepted(mortal)
    run = mortal.run_folder()
    server(mortal, "raylet").kill()
    assert mortal.ended() == 1
    told = mortal.log_tail().splitlines()[-1]
    assert re.match(r"siren: .*raylet has died .* start it again", told)
    nothing_is_left(mortal, run)

    mortal.start()
    reaches(mortal, order_id, "ACCEPTED")
    assert_agreed(mortal, order_id)
    run = mortal.run_folder()
    for name in ("gcs_server", "raylet"):
        server(mortal, name).suspend()
    accepted(mortal)
    for name in ("gcs_server", "raylet"):
        stopped = server(mortal, name)
        eventually(lambda: stopped.status() != psutil.STATUS_STOPPED, "it goes on", END_S)  # noqa: B023
    assert mortal.siren("down").returncode == 0
    nothing_is_left(mortal, run)


def test_ray_s_death_during_the_start_ends_it_with_a_sentence(tmp_path: Path) -> None:
    """What is being started would wait for it for ever."""
    system, log = System(tmp_path / "data"), tmp_path / "log"
    with starting(tmp_path / "data", free_port(), log) as process:
        eventually(lambda: ON_RAY in log.read_text(), "Ray is there", START_S)
        raylet = system.holder()["servers"]["raylet"]
        os.kill(raylet, signal.SIGKILL)
        assert process.wait(END_S) == 1
    assert "raylet has died" in log.read_text().splitlines()[-1]
    eventually(lambda: not system.leftovers(), "its processes have ended", END_S)


@pytest.mark.parametrize(
    ("number", "after_s"), [(signal.SIGINT, 0.5), (signal.SIGTERM, 3.0), (signal.SIGINT, 9.0)]
)
def test_a_signal_at_any_moment_of_the_start_ends_it_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals, after_s: float
) -> None:
    before = run_folders()
    system, log = System(tmp_path / "data"), tmp_path / "log"
    with starting(tmp_path / "data", free_port(), log) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(after_s)
        process.send_signal(number)
        code = process.wait(END_S)
    assert code in (0, 128 + number, -number)
    assert "Traceback" not in log.read_text()
    eventually(lambda: not system.leftovers(), "its processes have ended", END_S)
    assert run_folders() <= before


def test_no_worker_has_an_answer_of_its_own_to_sigterm(system: System) -> None:
    """Ray's would leave it half dead for many seconds, in the place of the next one."""
    accepted(system)
    workers = {
        process.pid: title_of(process)
        for process in system.processes("ray::")
        if not title_of(process).startswith(AGENTS)
    }
    assert any(title.startswith(SERVE_CONTROLLER) for title in workers.values())
    assert [title for pid, title in workers.items() if _catches(pid, signal.SIGTERM)] == []


def _catches(pid: int, number: signal.Signals) -> bool:
    """Tell whether a process handles or ignores a signal; one that is gone does neither."""
    try:
        facts = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    masks = re.findall(r"Sig(?:Cgt|Ign):\t([0-9a-f]+)", facts)
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


def test_nothing_of_a_running_system_is_open_to_other_users(system: System) -> None:
    """Whatever others could write or replace would lead callers, and Ray's token, to them."""
    run = system.run_folder()
    facts = run.lstat()
    assert stat.S_ISDIR(facts.st_mode)
    assert (facts.st_uid, stat.S_IMODE(facts.st_mode)) == (os.geteuid(), 0o700)
    opened = {
        Path(file.path)
        for process in system.processes()
        for file in process.open_files()
        if file.path.startswith(("/tmp", "/run", "/var"))
    }
    outside = {path for path in opened if run not in path.parents}
    assert {path for path in outside if system.data_dir not in path.parents} <= {system.log}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_reads_nothing_of_it_and_joins_nothing(system: System) -> None:
    def as_nobody(*command: str) -> subprocess.CompletedProcess[str]:
        become = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        return subprocess.run(
            [*become, *command], capture_output=True, text=True, check=False, timeout=60
        )

    for path in (system.run_folder(), system.data_dir):
        assert as_nobody("ls", str(path)).returncode != 0
    moved = as_nobody("mv", str(system.run_folder()), "/tmp/elsewhere")
    assert moved.returncode != 0
    assert system.run_folder().exists()


def test_a_port_that_somebody_takes_during_the_start_is_named_in_one_sentence(
    tmp_path: Path,
) -> None:
    """As of two systems that are started at the same moment and shall listen on the same one."""
    port, log = free_port(), tmp_path / "log"
    with starting(tmp_path / "data", port, log) as process, socket.socket() as other:
        eventually(lambda: "starting Ray" in log.read_text(), "it has looked at its port", END_S)
        other.bind(("127.0.0.1", port))
        other.listen()
        assert process.wait(2 * END_S) == 1
    text = log.read_text()
    sentence = f"siren: port {port} on 127.0.0.1 is taken; choose another with --port"
    assert text.splitlines()[-1] == sentence
    assert "Traceback" not in text
