"""`siren down` says that a system has stopped once its process is gone, and not before."""

import os
import subprocess
import sys
from pathlib import Path

from actors.runtime.lock_file import is_held
from cluster.running.down import stop
from tests.support.command import siren

SLOW_END = """
import signal, sys, time
from pathlib import Path
from cluster.running.data_folder import DataFolder

path = Path(sys.argv[1])
end = []
signal.signal(signal.SIGTERM, lambda *_: end.append(True))
with DataFolder(path):
    print("held", flush=True)
    while not end:
        time.sleep(0.01)
time.sleep(1)
(path / "run-folder-removed").touch()
"""


def test_down_waits_for_what_is_ended_after_the_folder_is_let_go(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SLOW_END, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as system:
        assert system.stdout is not None
        assert system.stdout.readline() == b"held\n"
        try:
            assert stop(tmp_path, lambda _: None) == system.pid
            assert (tmp_path / "run-folder-removed").exists()
            assert not is_held(tmp_path)
            assert system.wait(5) == 0
        finally:
            system.kill()


def test_down_tells_that_nothing_runs(tmp_path: Path) -> None:
    assert stop(tmp_path, lambda _: None) is None


def test_down_is_content_where_nothing_runs(tmp_path: Path) -> None:
    result = siren("down", data=tmp_path)
    assert result.exit_code == 0
    assert "nothing runs on" in result.stdout


def test_down_does_not_believe_what_a_crashed_system_left_behind(tmp_path: Path) -> None:
    (tmp_path / "siren.lock").write_text(f'{{"pid": {os.getpid()}}}')
    assert "nothing runs on" in siren("down", data=tmp_path).stdout
