"""A stopped process of an actor or of the gateway is ended; Ray's own servers go on."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from cluster.running.stopped import ended_where_stopped
from tests.support.system import eventually


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


def test_one_that_goes_on_and_what_is_not_of_ray_is_left_alone() -> None:
    with (
        _process("ray::ServeReplica:siren:gateway") as busy,
        _process("postgres") as other,
        _process("ray::ServeController") as stopped,
        ended_where_stopped(),
    ):
        for process in (other, stopped):
            process.send_signal(signal.SIGSTOP)
        stopped.wait(30)  # so long the others were looked at, too
        assert (busy.poll(), other.poll()) == (None, None)
        assert psutil.Process(other.pid).status() == psutil.STATUS_STOPPED


@pytest.mark.parametrize(
    "title",
    ["ray::DashboardAgent", "/ray/core/src/ray/gcs/gcs_server", "/ray/core/src/ray/raylet/raylet"],
)
def test_a_stopped_server_of_ray_s_own_goes_on(title: str) -> None:
    with _process(title) as server, ended_where_stopped():
        server.send_signal(signal.SIGSTOP)
        seen = psutil.Process(server.pid)
        eventually(lambda: seen.status() == psutil.STATUS_STOPPED, "it has stopped", every=0.001)
        eventually(lambda: seen.status() != psutil.STATUS_STOPPED, "it goes on")
        assert server.poll() is None


@contextmanager
def _process(title: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that shows the title of a Ray actor."""
    process = subprocess.Popen([title, "120"], executable="/bin/sleep")
    try:
        yield process
    finally:
        process.kill()
        process.wait()
