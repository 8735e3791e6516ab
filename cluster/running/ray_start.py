"""`ray start` on a node, tried again where Ray gave its own processes up too soon."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

RAY_WAS_TOO_SLOW = "timed out during startup"
"""Ray's words where its raylet has died: it waits 15 s for its agents, which is not enough on a
machine that has much else to do at its boot (ray-project/ray#65983)."""
STARTS = 4


def is_start(command: Sequence[str]) -> bool:
    """Return whether a command starts Ray and returns; with `--block` a supervisor sees to it."""
    return list(command[:2]) == ["ray", "start"] and "--block" not in command


def start(command: Sequence[str], environment: Mapping[str, str], starts: int = STARTS) -> int:
    """Start Ray, and return the exit code of the last try. Raises `OSError` where there is no Ray.

    What a failed try has left behind is stopped before the next one, as before any `ray start`.
    """
    while True:
        code, said = _run(command, environment)
        starts -= 1
        if code == 0 or starts == 0 or RAY_WAS_TOO_SLOW not in said:
            return code
        sys.stderr.write("Ray was too slow to start here; it is started again\n")
        _run(["ray", "stop", "--force"], environment)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a command, and return its exit code and what it said on stderr, where it also went."""
    with tempfile.TemporaryFile("w+") as errors:  # no pipe: what it starts may hold it open
        ended = subprocess.run(  # noqa: S603 - what the operator wants to be run
            command, env=environment, stderr=errors, check=False
        )
        errors.seek(0)
        said = errors.read()
    sys.stderr.write(said)
    return ended.returncode, said
