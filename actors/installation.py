"""What all processes of one installation share: settings, secret, order hosts, and the release."""

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from actors.settings import Settings


@dataclass(frozen=True)
class Release:
    """What one deploy put in place: its `id`, which no other has, and where its code lies.

    `python` is the interpreter of the folder that it was deployed from, with the `path`
    (PYTHONPATH) it was started with; None is the one that Ray's own processes run on. `schemas`
    are the versions of the databases' schemas that the code knows.
    """

    id: str = ""
    python: str | None = None
    path: str = ""
    schemas: tuple[tuple[str, int], ...] = ()

    def runtime_env(self) -> dict[str, Any] | None:
        """Return what lets Ray start a process on this code; None where it would do so anyway."""
        if self.python is None:
            return None
        return {"py_executable": self.python, "env_vars": {"PYTHONPATH": self.path}}


# Without slots: another version, with a field more or less, can read it while one follows another.
@dataclass(frozen=True)
class Installation:
    """Built once at bootstrap and passed to every actor. `secret` never leaves the cluster."""

    settings: Settings
    secret: bytes = field(repr=False)
    order_hosts: int
    release: Release = Release()

    def digest(self, data: bytes) -> str:
        """Return the keyed hash of some bytes, in hexadecimal.

        Keyed, because a plain hash of a body with a phone number in it could be searched for.
        """
        return keyed_hash(self.secret, data)


def keyed_hash(secret: bytes, data: bytes) -> str:
    """Return HMAC-SHA256 (RFC 2104), in hexadecimal.

    Each order takes three, and `hmac` prepares the secret anew each time: that was a twentieth of
    what an order cost the gateway.
    """
    inner_start, outer_start = _prepared(secret)
    inner, outer = inner_start.copy(), outer_start.copy()
    inner.update(data)
    outer.update(inner.digest())
    return outer.hexdigest()


@lru_cache(maxsize=8)
def _prepared(secret: bytes) -> "tuple[hashlib._Hash, hashlib._Hash]":
    block = hashlib.sha256().block_size
    key = hashlib.sha256(secret).digest() if len(secret) > block else secret
    padded = key.ljust(block, b"\0")
    inner, outer = (bytes(byte ^ pad for byte in padded) for pad in (0x36, 0x5C))
    return hashlib.sha256(inner), hashlib.sha256(outer)
