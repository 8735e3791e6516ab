"""Whoever finds an actor silent, or hears that it hangs, has it killed: Ray starts it again.

The death of a process is heard at once; a process that hangs (stopped, or in an endless loop) says
nothing, and Ray does not look. What it had not answered is repeated to the next incarnation, and
what it had begun is fenced: by the journal's versions, and by the transactions of the services.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import psutil
import ray
from ray._private import state
from ray.actor import ActorHandle
from ray.exceptions import RayError

from actors.runtime.silence import Silence
from actors.runtime.waits import thread_states

SUSPECT_S = 2.5
"""After so long without a sound it is noted which process is silent: only that one is killed."""
SILENCE_S = 6.0
"""After this long without a sound a peer counts as hung. The event loop of one that waits for its
database goes on, and says so; the death of a process is heard at once."""
START_S = 60.0
"""The same for one that is being started: to import everything, and to wait for a database while
others start too, takes long on a busy machine. One that is killed too soon would never start."""
SILENT = "it is silent"
STARTING = ("PENDING_CREATION", "RESTARTING")

logger = logging.getLogger("siren")
Answer = TypeVar("Answer")


class Incarnation(NamedTuple):
    """The process in which an actor lives: Ray's id of the node, and the process there.

    `starting`: it has not come out of its `__init__` yet.
    """

    node: str
    pid: int
    starting: bool = False


def incarnation_of(actor: Any) -> Incarnation | None:
    """Return where Ray says that an actor lives; None while it has no process. Blocks."""
    if not isinstance(actor, ActorHandle):
        return None
    facts = state.actors(actor._actor_id.hex())  # noqa: SLF001
    starting = facts.get("State") in STARTING
    if not starting and facts.get("State") != "ALIVE":
        return None
    node, pid = facts["Address"]["NodeID"], facts["Pid"]
    return Incarnation(node, pid, starting) if node and pid else None


def kill(actor: Any, silent: Incarnation, why: str = SILENT) -> None:
    """Kill one incarnation of an actor, unless another has taken its place. Blocks.

    Not one whose disk does not answer, as far as that can be seen: the next one would wait as long.
    """
    if incarnation_of(actor) != silent:
        return  # somebody was faster
    here = silent.node == ray.get_runtime_context().get_node_id()
    if here and why == SILENT and _waits_for_disk(silent.pid):
        logger.warning("process %d waits for the disk: %s", silent.pid, actor)
        return
    logger.error("process %d is replaced, %s: %s", silent.pid, why, actor)
    if here:
        # A stopped process does not answer Ray either. While Ray looks for the next one, it still
        # tells of the last, whose number may be somebody else's by then.
        if _is_ray_s(silent.pid):
            os.kill(silent.pid, signal.SIGKILL)
    else:
        ray.kill(actor, no_restart=False)


def _is_ray_s(pid: int) -> bool:
    with suppress(psutil.Error):
        return " ".join(psutil.Process(pid).cmdline()).startswith("ray::")
    return False


def _waits_for_disk(pid: int) -> bool:
    return any(state == "D" for state in thread_states(pid))


class Watch:
    """Looks after one actor while something is asked of it, every `every_s` seconds."""

    def __init__(
        self,
        every_s: float,
        find: Callable[[Any], Incarnation | None] = incarnation_of,
        kill: Callable[..., None] = kill,
    ) -> None:
        self._every_s = every_s
        self._silence = Silence(every_s)
        self._find = find
        self._kill = kill
        self._suspect: Incarnation | None = None
        self._silent_before = 0.0  # seconds, when the suspect was found, beyond SUSPECT_S
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Something is asked from now on; before, it had no reason to make a sound."""
        self._silence.begin()

    def heard(self) -> None:
        """Note a sound of the actor."""
        self._silence.heard()
        self._suspect = None

    def look(self, actor: Any) -> bool:
        """Return whether the actor has been silent for too long; it gets replaced then."""
        seconds = self._silence.look()
        suspect, patience = self._suspect, SILENCE_S
        if suspect is not None:  # what was before it was found may be another's silence
            patience = (START_S if suspect.starting else patience) + self._silent_before
        if seconds > patience:
            if suspect is not None:
                self._start(self._replace(actor, suspect))
            self.heard()  # from here on it is another's silence
            return True
        if seconds > SUSPECT_S and suspect is None:
            self._silent_before = max(0.0, seconds - SUSPECT_S - 2 * self._every_s)
            self._start(self._find_suspect(actor))
        return False

    async def during(self, call: Awaitable[Answer], actor: Any) -> Answer:
        """Return the answer to a call of Ray's; an actor that is silent meanwhile gets replaced.

        Raises what the call raises, as `RayError` where the actor was replaced, or does not live
        yet: that is Ray's word, and no sound of the actor's.
        """
        self.begin()
        answer = asyncio.ensure_future(call)
        try:
            while not (await asyncio.wait({answer}, timeout=self._every_s))[0]:
                self.look(actor)
        finally:
            answer.cancel()
        if not isinstance(answer.exception(), RayError):
            self.heard()
        return answer.result()

    async def replace(self, actor: Any, pid: int, why: str) -> None:
        """Have an actor replaced that says that it hangs, unless it lives elsewhere by now."""
        await self._find_suspect(actor)
        suspect, self._suspect = self._suspect, None
        if suspect is not None and suspect.pid == pid:
            await self._replace(actor, suspect, why)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(work)
        else:
            work.close()  # Ray's control service does not answer either

    async def _find_suspect(self, actor: Any) -> None:
        try:
            self._suspect = await asyncio.to_thread(self._find, actor)
        except (RayError, RuntimeError, ValueError, KeyError) as error:
            logger.warning("cannot tell where a silent actor lives: %s", error)

    async def _replace(self, actor: Any, suspect: Incarnation, why: str = SILENT) -> None:
        try:
            await asyncio.to_thread(self._kill, actor, suspect, why)
        except (RayError, RuntimeError, ValueError, KeyError, OSError) as error:
            logger.warning("cannot replace a silent actor: %s", error)
