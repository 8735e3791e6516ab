"""What a replica measures of itself: requests that it works on, and its CPU since the last look."""

from serve_app.contract.identity import OWNER
from serve_app.middleware.concurrency_limits import Kind, Places
from serve_app.replica_load import CPU, IN_FLIGHT, ReplicaLoad


class Clocks:
    """Time, and CPU time, that pass when told."""

    def __init__(self) -> None:
        self.now = self.used = 100.0

    def load(self, in_flight: int = 0) -> ReplicaLoad:
        return ReplicaLoad(lambda: in_flight, lambda: self.now, lambda: self.used)


def test_cpu_is_a_percentage_of_one_core_since_the_last_look() -> None:
    clocks = Clocks()
    load = clocks.load()
    clocks.now, clocks.used = 110, 102
    assert load.measure()[CPU] == 20
    clocks.now, clocks.used = 111, 103.5
    assert load.measure()[CPU] == 150


def test_who_is_asked_twice_at_once_measures_no_cpu() -> None:
    clocks = Clocks()
    assert clocks.load(in_flight=3).measure() == {IN_FLIGHT: 3}


def test_only_who_is_worked_for_is_in_flight() -> None:
    places = Places(at_once=10)
    load = ReplicaLoad(lambda: places.in_flight)
    working, waiting, streaming, healthy = (
        place
        for kind in (Kind.COMMAND, Kind.COMMAND, Kind.READ, Kind.HEALTH)
        if (place := places.enter(kind)) is not None
    )
    with working, waiting, streaming, healthy:
        assert load.measure()[IN_FLIGHT] == 3
        with waiting.waiting():
            assert load.measure()[IN_FLIGHT] == 2
        streaming.become_stream(OWNER)
        assert load.measure()[IN_FLIGHT] == 1
    assert load.measure()[IN_FLIGHT] == 0
