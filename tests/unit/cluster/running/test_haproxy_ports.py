"""Two systems on one machine never have a port in common."""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cluster.running import haproxy


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (*haproxy.PORTS, "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT", haproxy.BINARY):
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_a_block_is_nobody_else_s_while_it_is_held() -> None:
    with ExitStack() as held:
        blocks = {
            held.enter_context(haproxy._held_block()) for _ in range(len(haproxy.BLOCKS) // 2)
        }
        assert len(blocks) == len(haproxy.BLOCKS) // 2


def test_a_block_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haproxy, "BLOCKS", range(29_000, 29_100, haproxy.BLOCK))
    for _ in range(2):
        with haproxy._held_block() as first:
            assert first == 29_000


def test_every_port_is_of_the_block_and_none_is_given_twice(tmp_path: Path) -> None:
    with haproxy.claim(tmp_path, "127.0.0.1"):
        ports = [int(os.environ[name]) for name in haproxy.PORTS]
        last = int(os.environ["RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT"])
    assert len(set(ports)) == len(ports)
    assert len({port // haproxy.BLOCK for port in (*ports, last)}) == 1
    assert last - ports[-1] > 50


def test_the_secret_is_in_one_file_that_is_the_owner_s_alone(tmp_path: Path) -> None:
    with haproxy.claim(tmp_path, "127.0.0.1") as claim:
        (secret,) = (file for file in tmp_path.iterdir() if claim.secret in file.read_text())
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        assert os.access(os.environ[haproxy.BINARY], os.X_OK)
        assert claim.secret not in str(dict(os.environ))
        assert claim.secret not in repr(claim)
