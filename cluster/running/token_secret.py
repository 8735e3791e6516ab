"""The secret that signs tokens: configured, or a file of the data folder, made at first start."""

import os
import secrets
from pathlib import Path

from actors.contracts.errors import SirenError
from actors.runtime.syncing import sync_names
from actors.settings import MIN_SECRET, Settings

NAME = "token.secret"


def make_secret(settings: Settings) -> bytes:
    """Return the secret, made where there is none; only the owner of its file may read it.

    Raises `SirenError` where the file is too short to be one.
    """
    path = settings.data_dir.absolute() / NAME
    if settings.jwt_secret is None and not path.exists():
        _write(path, secrets.token_hex(32))
    return read_secret(settings)


def read_secret(settings: Settings) -> bytes:
    """Return the secret; raises `SirenError` where there is none, or its file is too short."""
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value().encode()
    path = settings.data_dir.absolute() / NAME
    try:
        with path.open("rb") as file:
            owner = os.fstat(file.fileno()).st_uid
            if owner != os.geteuid():
                raise PermissionError(0, f"it belongs to another user (uid {owner})")
            os.fchmod(file.fileno(), 0o600)
            secret = file.read().strip()
    except OSError as error:
        detail = f"cannot read {path}: {error.strerror}; the first `siren up` makes it"
        raise SirenError("no_token_secret", detail) from error
    if len(secret) < MIN_SECRET:
        detail = f"{path} must hold at least {MIN_SECRET} characters; without it a new one is made"
        raise SirenError("token_secret_too_short", detail)
    return secret


def keep_secret(settings: Settings, secret: bytes) -> None:
    """Put a secret that was kept elsewhere into the data folder; raises `OSError`."""
    _write(settings.data_dir.absolute() / NAME, secret.decode())


def _write(path: Path, secret: str) -> None:
    """Write a file that is whole or not there at all; on disk, with its name, when this returns."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    sync_names(path.parent)
