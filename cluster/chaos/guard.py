"""Lets stopped processes go on, whatever becomes of the command that has stopped them.

`Guard` is told of a process before it is stopped. The process behind it, this very file, reads that
from a pipe; when the pipe ends, however the command did, it continues whatever is still stopped.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

import psutil

STOPS, CONTINUED = "stops", "continued"
END_S = 10.0


class Guard:
    """Stops processes, and continues them at the end of its block at the latest."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "cluster.chaos.guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C is for the command, which tells it by the pipe
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        with suppress(OSError):
            self._process.communicate(timeout=END_S)

    @contextmanager
    def stopped(self, process: psutil.Process) -> Iterator[None]:
        """Stop a process while the block lasts; raises `psutil.Error` where it is gone before."""
        self._tell(STOPS, process)
        try:
            process.suspend()
            yield
        finally:
            with suppress(psutil.Error):  # whoever missed it had it replaced
                process.resume()
            self._tell(CONTINUED, process)

    def _tell(self, what: str, process: psutil.Process) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what} {process.pid} {process.create_time()}\n")
        self._process.stdin.flush()


def main() -> None:
    """Read of stopped processes until the input ends; then continue those that are left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    stopped: set[tuple[int, float]] = set()
    for line in sys.stdin:
        what, pid, created = line.split()
        known = (int(pid), float(created))
        (stopped.add if what == STOPS else stopped.discard)(known)
    for pid, created_at in stopped:
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.create_time() == created_at:  # else another one has its number by now
                process.resume()


if __name__ == "__main__":
    main()
