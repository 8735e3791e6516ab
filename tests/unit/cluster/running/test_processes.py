"""Whom the end of a system ends, and whom it leaves alone."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.running import processes

KEEP_OPEN = "import sys; log = open(sys.stdin.readline().strip()); print('open', flush=True); "
KEEP_OPEN += "sys.stdin.read()"


@contextmanager
def keeping_open(log: Path, title: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process of this title that has a file open, whose name it was not started with."""
    process = subprocess.Popen(
        [title, "-c", KEEP_OPEN],
        executable=sys.executable,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(f"{log}\n")
        process.stdin.flush()
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_script_that_has_joined_a_system_outlives_it(tmp_path: Path) -> None:
    log = tmp_path / "driver.log"
    log.touch()
    with keeping_open(log, sys.executable) as script, keeping_open(log, "ray::Actor") as worker:
        processes.end_on(tmp_path)
        assert worker.poll() is not None
        assert script.poll() is None
