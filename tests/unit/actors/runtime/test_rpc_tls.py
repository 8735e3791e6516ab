"""With Ray's TLS settings the connections between actors are encrypted, and closed to strangers."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from actors.contracts.errors import Unavailable
from actors.contracts.messages import RefundRequest, TicketReply
from actors.runtime import rpc_tls
from actors.runtime.rpc_client import RpcClient
from actors.runtime.rpc_server import RpcServer
from tests.support.certificates import Authority

PATIENCE = 30.0
LOOPBACK = "127.0.0.1"
Use = Callable[[str], None]


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Use]:
    """Let this process have the certificates of an authority, as Ray's settings name them."""
    authorities: dict[str, Authority] = {}

    def use(name: str) -> None:
        if name not in authorities:
            authorities[name] = Authority(tmp_path / name)
        monkeypatch.setenv("RAY_USE_TLS", "1")
        for variable, file in (
            (rpc_tls.AUTHORITY, "ca.pem"),
            (rpc_tls.CERTIFICATE, "cert.pem"),
            (rpc_tls.KEY, "key.pem"),
        ):
            monkeypatch.setenv(variable, str(tmp_path / name / file))
        rpc_tls.client_context.cache_clear()

    rpc_tls.server_context.cache_clear()
    yield use
    rpc_tls.server_context.cache_clear()
    rpc_tls.client_context.cache_clear()


async def echo(request: RefundRequest) -> TicketReply:
    return TicketReply(request.order_id)


def client_of(server: RpcServer) -> RpcClient:
    return RpcClient(lambda: SimpleNamespace(endpoint=SimpleNamespace(remote=server.endpoint)))


async def test_actors_of_one_cluster_understand_each_other(use: Use) -> None:
    use("ours")
    client = client_of(RpcServer(echo, LOOPBACK))

    reply = await client.ask(RefundRequest("o-1", 1), PATIENCE)

    assert reply == TicketReply("o-1")


async def test_whoever_has_no_certificate_gets_no_answer_even_with_the_key(use: Use) -> None:
    use("ours")
    host, port, key = await RpcServer(echo, LOOPBACK).endpoint()
    stranger = ssl.create_default_context()
    stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE

    reader, writer = await asyncio.open_connection(host, port, ssl=stranger)

    assert writer.get_extra_info("cipher") is not None
    writer.write(len(key).to_bytes(4) + key)
    answer = b""
    with suppress(OSError):
        answer = await asyncio.wait_for(reader.read(), PATIENCE)
    assert answer == b""


async def test_whom_another_authority_has_signed_gets_no_answer(use: Use) -> None:
    use("ours")
    server = RpcServer(echo, LOOPBACK)
    await server.endpoint()
    use("theirs")

    with pytest.raises(Unavailable):
        await client_of(server).ask(RefundRequest("o-1", 1), 1.0)


async def test_plain_text_gets_no_answer(use: Use) -> None:
    use("ours")
    host, port, key = await RpcServer(echo, LOOPBACK).endpoint()

    reader, writer = await asyncio.open_connection(host, port)
    writer.write(len(key).to_bytes(4) + key)
    answer = await asyncio.wait_for(reader.read(4), PATIENCE)

    assert answer != (1).to_bytes(4)  # not the welcome


def test_a_missing_certificate_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rpc_tls.server_context.cache_clear()
    monkeypatch.setenv("RAY_USE_TLS", "true")
    monkeypatch.delenv(rpc_tls.AUTHORITY, raising=False)

    with pytest.raises(OSError, match=rpc_tls.AUTHORITY):
        rpc_tls.server_context()
