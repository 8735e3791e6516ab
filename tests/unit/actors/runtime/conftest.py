"""A channel whose silences are short."""

from collections.abc import AsyncIterator

import pytest

from actors.runtime import replacing, rpc_client, rpc_server
from tests.support.wire import Wire


@pytest.fixture
async def wire(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wire]:
    for side in (rpc_client, rpc_server):
        monkeypatch.setattr(side, "HEARTBEAT_S", 0.02)
        monkeypatch.setattr(side, "CONNECT_S", 0.3)
    monkeypatch.setattr(replacing, "SILENCE_S", 0.3)
    wire = Wire()
    yield wire
    for callee in wire.callees:
        await callee.stop_listening()
