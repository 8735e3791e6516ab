"""An actor that hangs in its `__init__` neither answers nor dies: whoever asks has it replaced."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import ray

from actors.contracts.messages import RefundRequest
from actors.installation import Installation
from actors.runtime import replacing
from actors.runtime.ray_actors import get_or_create, node_address
from actors.runtime.replacing import incarnation_of
from actors.runtime.rpc_client import RpcClient
from actors.runtime.rpc_link import Endpoint
from actors.runtime.rpc_server import RpcServer
from actors.settings import Settings
from tests.support.system import System, eventually

pytestmark = pytest.mark.timeout(400)
NOBODY = Installation(Settings(), b"", order_hosts=1)


class Hanging:
    """Hangs in its start as often as it finds a file, which it takes away. Echoes, then."""

    def __init__(self, _installation: Installation, traps: str) -> None:
        for trap in Path(traps).iterdir():
            trap.unlink()
            time.sleep(3600)
        self._server = RpcServer(self._echo, node_address())

    async def _echo(self, request: Any) -> Any:
        return request

    async def endpoint(self) -> Endpoint:
        """Return where it takes requests."""
        return await self._server.endpoint()


@pytest.fixture
def joined(system: System, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(replacing, "SUSPECT_S", 1.0)
    monkeypatch.setattr(replacing, "START_S", 3.0)
    with system.ray():
        yield


@pytest.mark.usefixtures("joined")
async def test_an_actor_that_hangs_in_its_start_or_its_restart_is_replaced(tmp_path: Path) -> None:
    remote, name = ray.remote(Hanging), f"hanging-{uuid4().hex}"
    channel = RpcClient(lambda: get_or_create(remote, name, NOBODY, str(tmp_path)))
    (tmp_path / "trap").touch()
    assert await channel.ask(RefundRequest("first", 1), 60) == RefundRequest("first", 1)

    actor = ray.get_actor(name)
    former = incarnation_of(actor)
    assert former is not None
    (tmp_path / "trap").touch()
    os.kill(former.pid, signal.SIGKILL)
    assert await channel.ask(RefundRequest("second", 1), 60) == RefundRequest("second", 1)
    latter = eventually(lambda: incarnation_of(actor), "it lives")
    assert not latter.starting
    assert latter != former
    assert not (tmp_path / "trap").exists()
    ray.kill(actor)
