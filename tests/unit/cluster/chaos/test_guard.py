"""Whatever is stopped goes on, whatever becomes of the command that has stopped it."""

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from cluster.chaos.guard import Guard
from tests.support.system import eventually

STOPS = """
import sys, psutil, time
from cluster.chaos.guard import Guard
with Guard() as guard, guard.stopped(psutil.Process(int(sys.argv[1]))):
    print("stopped", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def victim() -> Iterator[psutil.Process]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield psutil.Process(process.pid)
        process.kill()


def is_stopped(process: psutil.Process) -> bool:
    return bool(process.status() == psutil.STATUS_STOPPED)


def test_a_process_is_stopped_while_the_block_lasts(victim: psutil.Process) -> None:
    with Guard() as guard:
        with guard.stopped(victim):
            eventually(lambda: is_stopped(victim), "it is stopped")
        eventually(lambda: not is_stopped(victim), "it goes on")


def test_a_process_that_died_while_it_was_stopped_is_no_error(victim: psutil.Process) -> None:
    with Guard() as guard, guard.stopped(victim):
        victim.kill()
        eventually(lambda: victim.status() == psutil.STATUS_ZOMBIE, "it is dead")


def test_what_a_killed_command_had_stopped_goes_on(victim: psutil.Process) -> None:
    words = [sys.executable, "-c", STOPS, str(victim.pid)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"stopped\n"
        eventually(lambda: is_stopped(victim), "it is stopped")
        command.kill()
    eventually(lambda: not is_stopped(victim), "it goes on")
