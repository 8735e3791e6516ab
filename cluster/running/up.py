"""`siren up`: the system in a thread of its own, watched from the main one, which takes signals.

So nothing that hangs in Ray keeps this process from ending: what has not stopped in time is killed,
which loses nothing that was acknowledged.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType

from sqlalchemy.exc import DBAPIError

from actors.contracts.errors import SirenError
from actors.settings import Settings
from cluster.running import haproxy, processes
from cluster.running.run_folder import RunFolder

LOOK_S = 0.5
ON_RAY = "starting actors and gateway"
"""The step of a start from which on Ray's own processes are there, and may die."""
WORD_S = 4.0
"""A start that takes longer for a step says so this often."""
START_STOP_S = 3.0
"""A start that shall end gets this long to get to its next step."""
STOP_S = 8.0
BROKEN_STOP_S = 5.0
"""The same where Ray is broken: it would wait for what is dead."""
HEALTH = "health"
"""How the threads are named that look after actors: see `actors/runtime/health_watch.py`."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Interrupted(Exception):
    """The start shall not go on."""


class Up:
    """One run of the system. `say` gets a line for each step, `greet` is called once it is up."""

    def __init__(
        self,
        settings: Settings,
        say: Callable[[str], None],
        greet: Callable[[], None],
        *,
        dashboard: bool = False,
        despite_damage: bool = False,
    ) -> None:
        self._settings = settings
        self._dashboard = dashboard
        self._despite_damage = despite_damage
        self._say = say
        self._greet = greet
        self._step, self._said_at = "loading", time.monotonic()
        self._step_at = self._said_at
        self._end, self._hurry, self._is_up = (threading.Event() for _ in range(3))
        self._signals: tuple[signal.Signals, ...] = ()
        self._signal: int | None = None
        self._error: BaseException | None = None
        self.hangs = False
        """Whether a thread was still in Ray when it was killed: use `leave`, then."""

    def run(self) -> int:
        """Run the system until a signal or a fault ends it, and return the exit code.

        A signal that comes twice ends it at once. Raises `SirenError`, a sentence for people, where
        it cannot start or go on; every process of the system is gone then.
        """
        before = {number: signal.getsignal(number) for number in SIGNALS}
        if before[signal.SIGHUP] is signal.SIG_IGN:  # as nohup has it
            del before[signal.SIGHUP]
        self._signals = tuple(before)
        try:
            self._listen()
            with RunFolder() as run, haproxy.claim(run.path, self._settings.host) as claim:
                self._run(claim)
        except OSError as error:
            raise _told(error) from error
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._error is not None:
            raise _told(self._error)
        return 0 if self._is_up.is_set() or self._signal is None else 128 + self._signal

    def _listen(self) -> None:
        for number in self._signals:
            signal.signal(number, self._on_signal)

    def _run(self, claim: haproxy.Claim) -> None:
        processes.adopt_orphans()
        spared = processes.children()
        thread = threading.Thread(target=self._system, args=(claim,), daemon=True)
        thread.start()
        self._watch(thread, claim.over)
        self._stop(thread)
        claim.over.set()
        processes.end_family(spared)
        processes.end_on(claim.folder)
        thread.join(1)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._end.is_set():
            self._hurry.set()
        self._signal = number
        self._end.set()

    def _system(self, claim: haproxy.Claim) -> None:
        """Start the system, and stop it once it shall end."""
        try:
            # Importing Ray takes seconds.
            from cluster.running import bootstrap  # noqa: PLC0415
            from cluster.running.ray_state_api import serve_state  # noqa: PLC0415

            dashboard = self._dashboard
            with bootstrap.running(
                self._settings,
                claim,
                self._begin,
                dashboard=dashboard,
                despite_damage=self._despite_damage,
            ):
                self._is_up.set()
                self._greet()
                if not dashboard:  # which has the state API as well
                    serve_state(claim.folder)
                self._end.wait()
        except _Interrupted:
            pass
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            if not self._end.is_set():  # else it is only what its end has broken
                self._error = error

    def _begin(self, step: str) -> None:
        if self._end.is_set():
            raise _Interrupted
        self._say(step)
        self._step, self._step_at = step, time.monotonic()
        self._said_at = self._step_at

    def _watch(self, thread: threading.Thread, over: threading.Event) -> None:
        watch = None
        while thread.is_alive() and not self._end.wait(LOOK_S):
            self._still()
            self._listen()  # Ray puts its own in their place while it starts
            if not self._is_up.is_set() and self._step != ON_RAY:
                continue
            if watch is None:
                from cluster.running.ray_watch import RayWatch  # noqa: PLC0415 - as above

                watch = RayWatch(self._end)
            fault = watch.fault()
            if fault is not None and not over.is_set():  # else a start that failed has ended Ray
                detail = f"{fault}; the system has ended: start it again, every order is safe"
                self._error = SirenError("ray_died", detail)
                self._end.set()
            if self._is_up.is_set():
                processes.bury_orphans(watch.pids)

    def _still(self) -> None:
        now = time.monotonic()
        if not self._is_up.is_set() and now - self._said_at >= WORD_S:
            self._said_at = now
            self._say(f"  still {self._step}, {now - self._step_at:.0f} s")

    def _stop(self, thread: threading.Thread) -> None:
        """Wait for an orderly end, but not for ever."""
        self._end.set()
        if thread.is_alive():
            self._say("stopping")
        patience = STOP_S if self._is_up.is_set() else START_STOP_S
        deadline = time.monotonic() + (BROKEN_STOP_S if self._error else patience)
        while thread.is_alive() and time.monotonic() < deadline and not self._hurry.is_set():
            thread.join(LOOK_S / 10)
        self.hangs = thread.is_alive() or _is_awaited()


def _is_awaited() -> bool:
    """Whether the end of this process would wait for what asks Ray where actors live."""
    return any(thread.name.startswith(HEALTH) for thread in threading.enumerate())


def leave(code: int) -> None:
    """End this process now, without waiting for threads that hang in Ray."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _told(error: BaseException) -> SirenError:
    """Return what went wrong as one sentence; a fault of ours shows its traceback before."""
    if isinstance(error, SirenError):
        return error
    if isinstance(error, DBAPIError):
        return SirenError("database_failed", f"the database failed: {_first_line(error.orig)}")
    if isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename else ""
        return SirenError("system_failed", f"cannot start: {error.strerror or error}{place}")
    traceback.print_exception(error)
    cause = getattr(error, "cause", None) or error  # of what failed in one of Ray's processes
    return SirenError("start_failed", f"cannot start: {_first_line(cause)}")


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
