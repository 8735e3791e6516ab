"""One change at a time of what runs: each would replace what another has just created, for ever."""

from collections.abc import Iterator
from contextlib import contextmanager

import ray

from actors.contracts.errors import SirenError
from actors.runtime.moving import DEPLOY_LOCK


@contextmanager
def only_deploy() -> Iterator[None]:
    """Keep deploys, and changes of the gateway, out while the block lasts.

    Raises `SirenError` with code `deploy_under_way` where there is one.
    """
    options = {"name": DEPLOY_LOCK, "namespace": DEPLOY_LOCK, "num_cpus": 0}
    try:
        lock = _Lock.options(**options).remote()  # type: ignore[attr-defined]
    except ValueError as error:
        detail = "a deploy, or a change of the gateway, is under way there: wait until it is over"
        raise SirenError("deploy_under_way", detail) from error
    try:
        yield
    finally:
        ray.kill(lock)


@ray.remote
class _Lock:
    """Its name is the lock; Ray ends it together with whoever holds it."""
