"""Whoever finds an actor silent has it replaced: killed, so that Ray starts it again.

The death of a process is heard at once; a process that hangs (stopped, or in an endless loop) says
nothing, and Ray does not look. What it had not answered is repeated to the next incarnation, and
what it had begun is fenced: by the journal's versions, and by the transactions of the services.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

import ray
from ray._private import state
from ray.actor import ActorHandle
from ray.exceptions import RayError

from actors.silence import Silence

SUSPECT_S = 5.0
"""After so long without a sound it is noted which process is silent: only that one is killed."""
SILENCE_S = 15.0
"""After this long without a sound a peer counts as hung. A service that waits for its database's
lock is silent for up to `database.BUSY_TIMEOUT_S`; the death of a process is heard at once."""

logger = logging.getLogger("siren")
Answer = TypeVar("Answer")


class Incarnation(NamedTuple):
    """The process in which an actor lives: Ray's id of the node, and the process there."""

    node: str
    pid: int


def incarnation_of(actor: Any) -> Incarnation | None:
    """Return where Ray says that an actor lives; None while it is being started. Blocks."""
    if not isinstance(actor, ActorHandle):
        return None
    facts = state.actors(actor._actor_id.hex())  # noqa: SLF001
    if facts.get("State") != "ALIVE":
        return None
    return Incarnation(facts["Address"]["NodeID"], facts["Pid"])


def kill(actor: Any, silent: Incarnation) -> None:
    """Kill one incarnation of an actor, unless another has taken its place. Blocks."""
    if incarnation_of(actor) != silent:
        return  # somebody was faster
    logger.error("process %d is silent and gets replaced: %s", silent.pid, actor)
    if silent.node == ray.get_runtime_context().get_node_id():
        os.kill(silent.pid, signal.SIGKILL)  # a stopped process does not answer Ray either
    else:
        ray.kill(actor, no_restart=False)


class Watch:
    """Looks after one actor while something is asked of it, every `every_s` seconds."""

    def __init__(
        self,
        every_s: float,
        find: Callable[[Any], Incarnation | None] = incarnation_of,
        kill: Callable[[Any, Incarnation], None] = kill,
    ) -> None:
        self._every_s = every_s
        self._silence = Silence(every_s)
        self._find = find
        self._kill = kill
        self._suspect: Incarnation | None = None
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
        if seconds > SILENCE_S:
            if self._suspect is not None:
                self._start(self._replace(actor, self._suspect))
            self.heard()  # from here on it is another's silence
            return True
        if seconds > SUSPECT_S and self._suspect is None:
            self._start(self._find_suspect(actor))
        return False

    async def during(self, call: Awaitable[Answer], actor: Any) -> Answer:
        """Return the answer to a call of Ray's; an actor that is silent meanwhile gets replaced.

        Raises what the call raises, as `RayError` where the actor was replaced.
        """
        self.begin()
        answer = asyncio.ensure_future(call)
        try:
            while not (await asyncio.wait({answer}, timeout=self._every_s))[0]:
                self.look(actor)
        finally:
            answer.cancel()
        self.heard()
        return answer.result()

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

    async def _replace(self, actor: Any, suspect: Incarnation) -> None:
        try:
            await asyncio.to_thread(self._kill, actor, suspect)
        except (RayError, RuntimeError, ValueError, KeyError, OSError) as error:
            logger.warning("cannot replace a silent actor: %s", error)
