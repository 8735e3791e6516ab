"""What a PostgreSQL server's URL says of encryption and hosts holds for both ways in.

The server is a stand-in, which goes as far as the first message that names a user.
"""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import MetaData, text

from actors.contracts.errors import Unavailable
from actors.runtime.database import Database
from tests.support.certificates import Authority

SSL_REQUEST = 80877103
LOOPBACK = "127.0.0.1"
REFUSAL = b"SFATAL\0C28000\0Mnobody may\0\0"
WAYS = ("statement", "connection")


class Visit(NamedTuple):
    """Who came: `user` as the startup message names it, the cipher, the client's certificate."""

    user: str
    cipher: Any
    certificate: Any


class Server:
    """Notes who comes, and lets nobody in."""

    def __init__(self, authority: Authority) -> None:
        self.visits: list[Visit] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(authority.folder / "cert.pem", authority.folder / "key.pem")
        self._context.load_verify_locations(authority.folder / "ca.pem")
        self._context.verify_mode = ssl.CERT_OPTIONAL

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            length, code = struct.unpack("!II", await reader.readexactly(8))
            if code == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(self._context)
                length, _ = struct.unpack("!II", await reader.readexactly(8))
            told = (await reader.readexactly(length - 8)).split(b"\0")
            about = (writer.get_extra_info(name) for name in ("cipher", "peercert"))
            self.visits.append(Visit(told[told.index(b"user") + 1].decode(), *about))
            writer.write(b"E" + struct.pack("!I", len(REFUSAL) + 4) + REFUSAL)
        writer.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


@asynccontextmanager
async def listening(authority: Authority) -> AsyncIterator[tuple[Server, int]]:
    server = Server(authority)
    async with await asyncio.start_server(server.meet, LOOPBACK) as listener:
        yield server, listener.sockets[0].getsockname()[1]


async def knock(url: str, way: str) -> Exception | None:
    """Ask a server by a prepared statement or on a connection; return how it was refused."""
    database = Database(url, MetaData())
    try:
        if way == "statement":
            await database.fetch(database.prepare(text("SELECT 1")), {})
        else:
            async with database.read() as connection:
                await connection.execute(text("SELECT 1"))
    except Exception as refusal:  # noqa: BLE001 - of whatever kind
        return refusal
    finally:
        await database.close()
    return None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("option", ["sslmode", "ssl"])
async def test_a_server_whose_certificate_is_right_is_spoken_to_in_secret(
    authority: Authority, option: str, way: str
) -> None:
    async with listening(authority) as (server, port):
        options = f"{option}=verify-full&sslrootcert={authority.folder}/ca.pem"
        await knock(f"postgresql+asyncpg://siren@{LOOPBACK}:{port}/siren?{options}", way)
    assert [visit.user for visit in server.visits] == ["siren"]
    assert server.visits[0].cipher is not None
    assert not server.visits[0].certificate


@pytest.mark.parametrize("way", WAYS)
async def test_a_server_with_another_s_certificate_is_away_and_told_nothing(
    authority: Authority, tmp_path: Path, way: str
) -> None:
    theirs = Authority(tmp_path / "theirs")
    async with listening(authority) as (server, port):
        options = f"sslmode=verify-full&sslrootcert={theirs.folder}/ca.pem"
        url = f"postgresql+asyncpg://siren@{LOOPBACK}:{port}/siren?{options}"
        assert isinstance(await knock(url, way), Unavailable)
    assert server.visits == []


@pytest.mark.parametrize("way", WAYS)
async def test_who_has_a_certificate_shows_it(authority: Authority, way: str) -> None:
    async with listening(authority) as (server, port):
        files = {"sslrootcert": "ca.pem", "sslcert": "cert.pem", "sslkey": "key.pem"}
        options = "&".join(f"{name}={authority.folder}/{file}" for name, file in files.items())
        url = f"postgresql+asyncpg://siren@{LOOPBACK}:{port}/siren?sslmode=verify-ca&{options}"
        await knock(url, way)
    assert [bool(visit.certificate) for visit in server.visits] == [True]


@pytest.mark.parametrize("way", WAYS)
async def test_encryption_may_be_switched_off(authority: Authority, way: str) -> None:
    async with listening(authority) as (server, port):
        url = f"postgresql+asyncpg://siren@{LOOPBACK}:{port}/siren?sslmode=disable"
        await knock(url, way)
    assert [visit.cipher for visit in server.visits] == [None]


@pytest.mark.parametrize("way", WAYS)
async def test_where_one_host_is_away_the_next_is_asked(authority: Authority, way: str) -> None:
    async with listening(authority) as (server, port):
        hosts = f"host={LOOPBACK},{LOOPBACK}&port=1,{port}&sslmode=disable"
        await knock(f"postgresql+asyncpg://siren@/siren?{hosts}", way)
    assert [visit.user for visit in server.visits] == ["siren"]
