"""`siren token`: who gets one, for whom, and signed with what."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from actors.contracts.errors import SirenError
from actors.settings import Settings
from cluster.running.token_secret import make_secret
from serve_app.contract.identity import Identity, Role
from serve_app.security.tokens import InvalidToken, Tokens
from tests.support.command import one_order, sentence, siren


@pytest.fixture
def secret(tmp_path: Path) -> bytes:
    """The secret of a folder on which `siren up` has run."""
    return make_secret(Settings(data_dir=tmp_path))


@pytest.mark.parametrize(
    ("options", "identity"),
    [
        (("--role", "owner"), Identity("owner", Role.OWNER)),
        (("--role", "service", "--subject", "till"), Identity("till", Role.SERVICE)),
        (("--role", "customer", "--subject", "c-17"), Identity("c-17", Role.CUSTOMER)),
        (
            ("--role", "staff", "--store", "gangnam", "--subject", "till-1"),
            Identity("till-1", Role.STAFF, "gangnam"),
        ),
    ],
)
def test_a_token_is_for_whom_it_was_asked_for(
    tmp_path: Path, secret: bytes, options: tuple[str, ...], identity: Identity
) -> None:
    result = siren("token", *options, "--hours", "2", data=tmp_path)
    assert result.exit_code == 0, result.output
    (token,) = result.stdout.splitlines()
    holder = asyncio.run(Tokens(secret).identity(token.encode()))
    assert holder.expires_at is not None
    assert 1.9 * 3600 < holder.expires_at - time.time() <= 2 * 3600
    assert replace(holder, expires_at=None) == identity


@pytest.mark.usefixtures("secret")
def test_a_token_for_a_store_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    asyncio.run(one_order(tmp_path))
    refused = siren("token", "--role", "staff", "--store", "nowhere", data=tmp_path)
    assert refused.exit_code == 1
    assert "there is no store nowhere, only gangnam, jeju, pangyo" in sentence(refused)
    assert refused.stdout == ""
    assert siren("token", "--role", "staff", "--store", "jeju", data=tmp_path).exit_code == 0


def test_each_device_of_a_store_is_somebody_of_its_own(tmp_path: Path, secret: bytes) -> None:
    """Rate limits are by subject."""
    subjects = set()
    for _ in range(2):
        result = siren("token", "--role", "staff", "--store", "gangnam", data=tmp_path)
        holder = asyncio.run(Tokens(secret).identity(result.stdout.strip().encode()))
        assert holder.store_id == "gangnam"
        subjects.add(holder.subject)
    assert len(subjects) == 2


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--role", "root"),
        ("--role", "staff"),
        ("--role", "owner", "--store", "gangnam"),
        ("--role", "customer"),
        ("--role", "owner", "--subject", ""),
        ("--role", "owner", "--subject", "x" * 65),
        ("--role", "owner", "--hours", "0"),
    ],
)
@pytest.mark.usefixtures("secret")
def test_a_token_for_nobody_in_particular_is_refused(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    result = siren("token", *options, data=tmp_path)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_without_a_secret_there_is_no_token_and_none_is_made(tmp_path: Path) -> None:
    result = siren("token", "--role", "owner", data=tmp_path)
    assert result.exit_code == 1
    assert "the first `siren up` makes it" in sentence(result)
    assert list(tmp_path.iterdir()) == []


def test_a_configured_secret_comes_before_the_file(
    tmp_path: Path, secret: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIREN_JWT_SECRET", "configured" * 4)
    token = siren("token", "--role", "owner", data=tmp_path).stdout.strip().encode()
    assert asyncio.run(Tokens(b"configured" * 4).identity(token)).role is Role.OWNER
    with pytest.raises(InvalidToken):
        asyncio.run(Tokens(secret).identity(token))


def test_a_secret_that_is_too_short_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SIREN_JWT_SECRET", "hunter2")
    result = siren("token", "--role", "owner")
    assert result.exit_code == 2
    assert sentence(result).startswith("SIREN_JWT_SECRET: ")
    assert "hunter2" not in result.output


def test_the_secret_is_made_once_and_for_its_owner_s_eyes(tmp_path: Path, secret: bytes) -> None:
    file = tmp_path / "token.secret"
    assert len(secret) == 64
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    assert make_secret(Settings(data_dir=tmp_path)) == secret
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("short")
    with pytest.raises(SirenError, match="at least 32 characters"):
        make_secret(Settings(data_dir=tmp_path))
