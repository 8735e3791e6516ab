"""No text that may reach a log, a traceback or a terminal has a secret or personal data in it."""

import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from actors.contracts.errors import SirenError
from actors.contracts.values import PrivateData
from actors.installation import Installation
from actors.order.domain import commands as cmd
from actors.order.new_order import NewOrder
from actors.runtime.rpc_link import Endpoint
from actors.settings import Settings
from cluster.operations.database_urls import check_urls
from cluster.peers import PEERS
from serve_app.gateway import deployment

PASSWORD, SECRET = "hunter-2-hunter", "s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t"
URL = f"postgresql+asyncpg://siren:{PASSWORD}@127.0.0.1/siren"
URLS = ("database_url", "journal_url", "payments_url", "stores_url", "readmodel_url")
SETTINGS: dict[str, Any] = {**dict.fromkeys(URLS, URL), "jwt_secret": SECRET}


def texts(value: object) -> str:
    return f"{value} {value!r} {value!s} {[value]} {({'it': value},)}"


def installation() -> Installation:
    return Installation(Settings(**SETTINGS), SECRET.encode(), 1)


@pytest.mark.parametrize(
    "value",
    [
        Settings(**SETTINGS),
        installation(),
        {"pid": 1, "installation": installation()},
        Endpoint("127.0.0.1", 1, SECRET.encode()),
        deployment(installation(), PEERS, SECRET.encode(), SECRET)._bound_deployment.init_args,
    ],
    ids=["settings", "installation", "describe", "endpoint", "gateway"],
)
def test_no_secret_is_in_the_text_of_what_holds_it(value: object) -> None:
    for secret in (PASSWORD, SECRET):
        assert secret not in texts(value)
        assert secret.encode().hex() not in texts(value)


def test_settings_still_know_what_they_hide() -> None:
    assert Settings(**SETTINGS).url("journal") == URL


@pytest.mark.parametrize(
    "value",
    [
        PrivateData("Nara", "Nara", "Nara", "Nara"),
        cmd.PayOrder("k", "Nara"),
        cmd.CancelOrder("k", "Nara"),
        cmd.RejectOrder("k", "Nara"),
        NewOrder("c-1", "Nara", "Nara", "gangnam", (), "Nara"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nobody_s_data_are_in_the_text_of_what_holds_them(value: object) -> None:
    assert "Nara" not in texts(value)


def test_a_setting_that_is_refused_is_not_repeated() -> None:
    short = "s3cr3t"
    with pytest.raises(ValidationError) as refused:
        Settings(jwt_secret=short)
    told = "".join(traceback.format_exception(refused.value))
    assert "jwt_secret" in told
    assert short not in told


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://siren:{PASSWORD}@127.0.0.1/siren",
        f"postgresql+asyncpg://siren:{PASSWORD}@[::1/siren",
        f"postgresql+asyncpg://127.0.0.1:{PASSWORD}/siren",
        f"postgresql+asyncpg://siren:{PASSWORD}@127.0.0.1:99999/siren",
        f"postgresql+asyncpg://siren:{PASSWORD}@127.0.0.1/siren?sslmode=perhaps",
        f"postgresql+asyncpg:{PASSWORD}",
        f"sqlite+aiosqlite:///{PASSWORD}/x.db",
        PASSWORD,
        "",
    ],
)
@pytest.mark.parametrize("name", URLS)
def test_a_database_url_that_is_refused_is_not_repeated(
    name: str, url: str, tmp_path: Path
) -> None:
    named: dict[str, Any] = {name: url}
    with pytest.raises(SirenError) as refused:
        check_urls(Settings(data_dir=tmp_path, **named))
    assert refused.value.code == "wrong_database_url"
    assert f"SIREN_{name.upper()} " in refused.value.detail
    assert PASSWORD not in str(refused.value)
    assert PASSWORD not in repr(refused.value.__cause__)
