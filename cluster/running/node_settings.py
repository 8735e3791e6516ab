"""The settings of a cluster's node: a file of SIREN_NAME=value lines, behind the environment."""

import logging
import os
from pathlib import Path
from typing import Any

from pydantic_settings import DotEnvSettingsSource

from actors.contracts.errors import SirenError
from actors.settings import Settings, variable
from actors.settings_file import keep_private, unreadable
from cluster.running.reading_settings import NODE_DIR, read_settings

HOST = "0.0.0.0"  # noqa: S104 - the gateway of a cluster is for others, who have to sign in
OF_A_CLUSTER = "as on any cluster"
SETTINGS_FILES = (Path.home() / ".siren" / "siren.env", Path("/etc/siren/siren.env"))
"""Where a node may have its settings: the first that there is."""

logger = logging.getLogger("siren")


def cluster_settings(settings_file: Path | None = None, **given: Any) -> Settings:
    """Return the settings of a cluster: those given, else the environment's, else the file's.

    Nobody is the owner without signing in there. Raises `pydantic.ValidationError`, or `SirenError`
    where the file cannot be used.
    """
    file = found_file(settings_file)
    if file is not None:
        _read(file)
    found = read_settings(file, **given)
    changes: dict[str, Any] = {"auth": "required"}
    if "host" not in found.model_fields_set:
        changes["host"] = HOST
    found.origins.update(dict.fromkeys(changes, OF_A_CLUSTER))
    return found.model_copy(update=changes)


def node_folder() -> Path:
    """Return the folder that `siren node` makes, by which a machine is a node of a cluster."""
    return Path(os.environ.get(NODE_DIR) or Path.home() / ".siren" / "node")


def node_host() -> str:
    """Return where HAProxy of this node listens: the environment's word, else the file's, else all.

    Raises `SirenError` where the file cannot be used. (The port is Serve's, so the deploy's.)
    """
    if host := os.environ.get(variable("host")):
        return host
    file = found_file()
    return (None if file is None else _read(file).get(variable("host"))) or HOST


def found_file(named: Path | None = None) -> Path | None:
    """Return the settings file: the one named, else this node's, None where it has none.

    Raises `SirenError` where the one named is missing, or where nobody can tell.
    """
    for file in SETTINGS_FILES if named is None else (named,):
        try:
            if file.is_file():
                return file
        except OSError as error:
            raise unreadable(file, error) from error
    if named is not None:
        raise SirenError("no_settings_file", f"there is no file {named}")
    return None


def _read(file: Path) -> dict[str, str | None]:
    """Return the lines of a settings file, by the names of environment variables.

    It holds secrets: nobody else may read it then, where it is this user's. Raises `SirenError`
    where it cannot be read, or names what is no setting.
    """
    try:
        keep_private(file)
        found = DotEnvSettingsSource(Settings, env_file=file).env_vars
        lines = {name.upper(): value for name, value in found.items()}
    except (OSError, UnicodeError) as error:
        raise unreadable(file, error) from error
    if others := sorted(lines.keys() - {variable(field) for field in Settings.model_fields}):
        detail = (
            f"{file} has {', '.join(others)}: only settings of the system, SIREN_NAME=value, stand "
            "there; what Ray reads is set in the environment of `siren node`"
        )
        raise SirenError("no_setting", detail)
    return lines
