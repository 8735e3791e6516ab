"""`siren config` lists all settings, and shows no secret."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actors.contracts.errors import SirenError
from actors.settings import Settings
from cluster import config_commands
from cluster.operations.live_changes import read_live
from cluster.running import live_gateway
from tests.support.command import one_order, sentence, siren

SECRET, PASSWORD = "s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t", "hunter-2-hunter"


def test_every_setting_is_listed_with_value_default_origin_and_meaning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIREN_RATE_LIMIT", "3/hour")

    result = siren("config", "--json", data=tmp_path)

    found = {setting["name"]: setting for setting in json.loads(result.stdout)}
    assert list(found) == list(Settings.model_fields)
    assert found["rate_limit"] == {
        "name": "rate_limit",
        "variable": "SIREN_RATE_LIMIT",
        "value": "3/hour",
        "default": "300/minute",
        "origin": "SIREN_RATE_LIMIT",
        "live": True,
        "takes": None,
        "meaning": Settings.model_fields["rate_limit"].description,
        "since": None,
        "without": "3/hour",
    }
    assert found["data_dir"]["value"] == str(tmp_path)
    assert found["data_dir"]["origin"] == "given at the start"
    assert not found["port"]["live"]
    assert all(setting["meaning"] for setting in found.values())


def test_people_read_value_origin_and_what_a_change_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIREN_PORT", "9000")
    lines = siren("config", data=tmp_path).stdout.splitlines()
    assert "port = 9000" in lines
    facts = lines[lines.index("port = 9000") + 1].strip()
    assert facts == "SIREN_PORT · default 8088 · takes a restart"
    assert lines[lines.index("log_format = text") + 1].strip() == "default · takes a deploy"
    assert lines[lines.index("max_in_flight = 256") + 1].strip() == "default · changes live"


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_secret_is_shown_nor_any_part_of_a_url_that_may_be_one(
    form: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"postgresql+asyncpg://siren:{PASSWORD}@db.example/siren?password={PASSWORD}"
    monkeypatch.setenv("SIREN_DATABASE_URL", url)
    monkeypatch.setenv("SIREN_JOURNAL_URL", f"no://url:{PASSWORD}:here")
    monkeypatch.setenv("SIREN_JWT_SECRET", SECRET)
    monkeypatch.setenv("SIREN_JWKS_URL", f"https://me:{PASSWORD}@id.example/keys?key={SECRET}")

    said = siren("config", *form, data=tmp_path).output

    assert PASSWORD not in said
    assert SECRET not in said
    assert "PostgreSQL at db.example:5432/siren" in said
    assert "https://id.example/keys" in said


def test_a_wrong_line_of_the_file_is_named_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "siren.toml"
    file.write_text("port = 0\n")
    monkeypatch.setenv("SIREN_CONFIG", str(file))

    result = siren("config")

    assert result.exit_code == 2
    assert f"port in {file}: " in result.output


def test_what_is_set_while_nothing_runs_is_there_at_the_next_start(tmp_path: Path) -> None:
    asyncio.run(one_order(tmp_path))

    said = siren("config", "set", "rate_limit", "3/hour", data=tmp_path).stdout
    assert said.splitlines() == ["rate_limit = 3/hour", "nothing runs: the next start has it"]
    lines = siren("config", data=tmp_path).stdout.splitlines()
    facts = lines[lines.index("rate_limit = 3/hour") + 1]
    assert re.search(r"set live since 20\S+, else 300/minute · default 300/minute", facts)

    assert siren("config", "unset", "rate_limit", data=tmp_path).exit_code == 0
    assert "rate_limit = 300/minute" in siren("config", data=tmp_path).stdout


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("max_in_flight", "none", "max_in_flight: "),
        ("port", "80", "port takes a restart: set SIREN_PORT, or port in the settings' file"),
        ("auth", "required", "auth takes a deploy: set SIREN_AUTH, or auth in the settings' file"),
        ("prot", "80", "prot is no setting: did you mean port?"),
    ],
)
def test_a_change_that_cannot_be_made_says_why(
    name: str, value: str, words: str, tmp_path: Path
) -> None:
    asyncio.run(one_order(tmp_path))
    result = siren("config", "set", name, value, data=tmp_path)
    assert result.exit_code == 1
    assert words in sentence(result)


def test_all_else_is_listed_where_what_is_set_live_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_text("no database" * 100)
    result = siren("config", data=tmp_path)
    assert result.exit_code == 0
    assert "rate_limit = 300/minute" in result.stdout
    assert "what is set live cannot be read" in result.stderr


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a system seem to run on the folder; what is done to it is noted, in turn."""
    asyncio.run(one_order(tmp_path))
    settings, done = Settings(data_dir=tmp_path), list[str]()

    @contextmanager
    def joined(*_: object, **__: object) -> Iterator[tuple[Settings, bool]]:
        yield settings, True

    @contextmanager
    def lock() -> Iterator[Settings]:
        done.append("locked")
        yield settings
        done.append("unlocked")

    def reconfigure(now: Settings) -> None:
        kept = asyncio.run(read_live(settings)).values["gateway_max_replicas"].value
        done.append(f"Serve has {now.gateway_max_replicas}, the journal {kept}")

    monkeypatch.setattr(config_commands, "joined", joined)
    monkeypatch.setattr(config_commands, "_tell_followers", lambda *_: True)
    monkeypatch.setattr(live_gateway, "changing_gateway", lock)
    monkeypatch.setattr(live_gateway, "reconfigure_gateway", reconfigure)
    return done


def test_the_gateway_is_changed_by_one_command_at_a_time_and_by_no_deploy_meanwhile(
    tmp_path: Path, running: list[str]
) -> None:
    assert siren("config", "set", "gateway_max_replicas", "5", data=tmp_path).exit_code == 0
    assert running == ["locked", "Serve has 5, the journal 5", "unlocked"]


def test_what_is_none_of_serve_s_waits_for_no_deploy(tmp_path: Path, running: list[str]) -> None:
    assert siren("config", "set", "rate_limit", "3/hour", data=tmp_path).exit_code == 0
    assert running == []


def test_during_a_deploy_the_gateway_is_refused_a_change_and_nothing_is_set(
    tmp_path: Path, running: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise SirenError("deploy_under_way", "a deploy is under way")

    monkeypatch.setattr(live_gateway, "changing_gateway", refuse)
    refused = siren("config", "set", "gateway_max_replicas", "5", data=tmp_path)
    assert (refused.exit_code, running) == (1, [])
    assert "a deploy is under way" in sentence(refused)
    assert asyncio.run(read_live(Settings(data_dir=tmp_path))).values == {}
