"""A stopped process of an actor or of the gateway is ended; whatever else there is goes on."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cluster.running.stopped import ended_where_stopped


@pytest.mark.parametrize(
    "title",
    [
        "ray::ServeReplica:siren:gateway",
        "ray::OrderActor",
        "ray::PaymentActor",
        "ray::StoreActor",
        "ray::ProjectionActor",
        "ray::order-host:0:OrderActor.__init__",
        "ray::IDLE",
        "/usr/bin/python ray/_private/workers/default_worker.py --node-ip-address=127.0.0.1",
    ],
)
def test_a_stopped_worker_is_ended_whatever_lives_in_it_or_will(title: str) -> None:
    with _process(title) as worker, ended_where_stopped():
        worker.send_signal(signal.SIGSTOP)
        assert worker.wait(30) == -signal.SIGKILL


def test_one_that_goes_on_and_what_is_no_worker_is_left_alone() -> None:
    with (
        _process("ray::ServeReplica:siren:gateway") as busy,
        _process("ray::DashboardAgent") as agent,
        _process("postgres") as other,
        _process("ray::ServeController") as stopped,
        ended_where_stopped(),
    ):
        for process in (agent, other, stopped):
            process.send_signal(signal.SIGSTOP)
        stopped.wait(30)  # so long the others were looked at, too
        assert (busy.poll(), agent.poll(), other.poll()) == (None, None, None)


@contextmanager
def _process(title: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that shows the title of a Ray actor."""
    process = subprocess.Popen([title, "120"], executable="/bin/sleep")
    try:
        yield process
    finally:
        process.kill()
        process.wait()
