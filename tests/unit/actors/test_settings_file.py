"""A TOML file of settings: behind the environment, and no error in it passes unnoticed."""

import logging
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from actors.contracts.errors import SirenError
from actors.settings import Settings
from actors.settings_file import CONFIG

URL = "postgresql+asyncpg://siren:hunter-2-hunter@db/siren"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the environment names."""
    file = tmp_path / "siren.toml"
    monkeypatch.setenv(CONFIG, str(file))
    return file


def test_a_file_has_any_setting_in_the_types_of_toml(file: Path) -> None:
    file.write_text(
        f'port = 9000\ndata_dir = "/srv/siren"\ndatabase_url = "{URL}"\npayment_deadline_s = 60\n'
        'cors_origins = ["https://a.example", "https://b.example"]\n'
    )

    found = Settings()

    assert (found.port, found.data_dir, found.payment_deadline_s) == (9000, Path("/srv/siren"), 60)
    assert found.url("journal") == URL
    assert found.cors_origins == ("https://a.example", "https://b.example")


def test_the_environment_goes_before_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("port = 9000\nmax_in_flight = 7\n")
    monkeypatch.setenv("SIREN_PORT", "9001")

    assert (Settings().port, Settings().max_in_flight) == (9001, 7)
    assert Settings(port=9002).port == 9002


def test_all_names_that_are_no_settings_are_said_and_what_was_meant(file: Path) -> None:
    file.write_text("prot = 1\nSIREN_DATA_DIR = 'x'\n[gateway]\nreplicas = 2\n")

    with pytest.raises(SirenError) as refused:
        Settings()

    assert "prot (did you mean port?)" in refused.value.detail
    assert "SIREN_DATA_DIR (did you mean data_dir?)" in refused.value.detail
    assert "gateway" in refused.value.detail
    assert str(file) in refused.value.detail


@pytest.mark.parametrize(
    "line", ['port = "9000"', "port = true", 'payment_deadline_s = "60"', "max_in_flight = false"]
)
def test_a_text_is_no_number_and_true_is_not_1(line: str, file: Path) -> None:
    file.write_text(line)

    with pytest.raises(SirenError, match=f"{line.partition(' ')[0]} in {file} must be a"):
        Settings()


@pytest.mark.parametrize(
    "line",
    [
        "port = 90000",
        "rate_limit = 300",
        'rate_limit = "300 a minute"',
        "payment_deadline_s = inf",
        "auth = ['required']",
        "port = 2026-01-01",
        "cors_origins = [1]",
        "data_dir = ''",
    ],
)
def test_what_a_setting_cannot_be_is_refused_by_its_name(line: str, file: Path) -> None:
    file.write_text(line)

    with pytest.raises(ValidationError) as refused:
        Settings()

    assert refused.value.errors()[0]["loc"][0] == line.partition(" ")[0]


@pytest.mark.parametrize(
    ("content", "words"), [(b"port = [", "is no TOML"), (b"\xff\xfe", "it is no text")]
)
def test_what_is_no_toml_is_said_with_the_file(content: bytes, words: str, file: Path) -> None:
    file.write_bytes(content)

    with pytest.raises(SirenError, match=f"{file}.*{words}"):
        Settings()


def test_a_file_that_is_missing_or_a_folder_is_said(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SirenError, match=f"no file {file}, which SIREN_CONFIG names"):
        Settings()
    monkeypatch.setenv(CONFIG, str(file.parent))
    with pytest.raises(SirenError, match=f"cannot read the settings in {file.parent}"):
        Settings()
    monkeypatch.setenv(CONFIG, "")
    with pytest.raises(SirenError, match="must name a file"):
        Settings()


def test_nobody_else_can_read_a_file_with_secrets_and_one_without_is_left_alone(file: Path) -> None:
    file.write_text("port = 9000\n")
    file.chmod(0o644)
    Settings()
    assert file.stat().st_mode & 0o777 == 0o644

    file.write_text(f'database_url = "{URL}"\n')
    Settings()
    assert file.stat().st_mode & 0o777 == 0o600


def test_secrets_in_somebody_else_s_file_that_all_can_read_are_told_of(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_text(f'database_url = "{URL}"\n')
    file.chmod(0o644)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)

    with caplog.at_level(logging.WARNING):
        Settings()

    assert f"{file}, which holds secrets, is open to everybody" in caplog.text
