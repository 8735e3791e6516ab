"""A stopped process of the gateway is ended; whatever else there is goes on."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.stopped import ended_where_stopped


def test_a_stopped_replica_is_ended() -> None:
    with _process("ray::ServeReplica:siren:gateway") as replica, ended_where_stopped():
        replica.send_signal(signal.SIGSTOP)
        assert replica.wait(30) == -signal.SIGKILL


def test_one_that_goes_on_and_other_actors_are_left_alone() -> None:
    with (
        _process("ray::ServeReplica:siren:gateway") as busy,
        _process("ray::OrderActor") as other,
        _process("ray::ServeController") as stopped,
        ended_where_stopped(),
    ):
        other.send_signal(signal.SIGSTOP)
        stopped.send_signal(signal.SIGSTOP)
        stopped.wait(30)  # so long the others were looked at, too
        assert busy.poll() is None
        assert other.poll() is None


@contextmanager
def _process(title: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that shows the title of a Ray actor."""
    process = subprocess.Popen([title, "120"], executable="/bin/sleep")
    try:
        yield process
    finally:
        process.kill()
        process.wait()
