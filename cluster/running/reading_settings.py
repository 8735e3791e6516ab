"""The settings of this process, each with where it came from, and what was meant for one.

What is given goes before the environment, that before the file of `SIREN_CONFIG`, and that before
the settings file of a cluster's node.
"""

import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from actors.settings import Settings, variable
from actors.settings_file import CONFIG, SettingsFile, nearest, settings_file

NODE_DIR = "SIREN_NODE_DIR"
NO_SETTINGS = (CONFIG, NODE_DIR, "SIREN_CHROMIUM")
"""What else is read from the environment under our prefix, beside what begins with `TESTS`."""
TESTS = "SIREN_TEST_"
GIVEN = "given at the start"

logger = logging.getLogger("siren")


def read_settings(node_file: Path | None = None, **given: Any) -> Settings:
    """Return the settings; their `origins` say where those that are no defaults came from.

    Variables that look like settings and are none are told of. Raises `pydantic.ValidationError`
    for a wrong one, `SirenError` where the file of `SIREN_CONFIG` cannot be used.
    """
    _tell_of(tuple(sorted(_strange_variables())))
    found = Settings(_env_file=node_file, **given)
    found.origins.update(_origins(node_file, given))
    return found


def as_given(name: str) -> str:
    """Return what a user calls a setting: by its variable, or its name in the file that has it."""
    in_environment = variable(name).lower() in EnvSettingsSource(Settings).env_vars
    if not in_environment and name in SettingsFile(Settings)():
        return f"{name} in {settings_file()}"
    return variable(name)


def _origins(node_file: Path | None, given: dict[str, Any]) -> dict[str, str]:
    fields = {variable(name).lower(): name for name in Settings.model_fields}
    of_node = DotEnvSettingsSource(Settings, env_file=node_file).env_vars
    of_environment = EnvSettingsSource(Settings).env_vars
    sources = [
        {fields[each]: str(node_file) for each in of_node if each in fields},
        {name: str(settings_file()) for name in SettingsFile(Settings)()},
        {fields[each]: variable(fields[each]) for each in of_environment if each in fields},
        dict.fromkeys(given, GIVEN),
    ]
    return {name: origin for source in sources for name, origin in source.items()}


def _strange_variables() -> set[str]:
    ours = {name for name in os.environ if name.upper().startswith("SIREN_")}
    known = {variable(name) for name in Settings.model_fields} | set(NO_SETTINGS)
    return {
        name for name in ours if name.upper() not in known and not name.upper().startswith(TESTS)
    }


@lru_cache  # a command may read its settings twice
def _tell_of(strange: tuple[str, ...]) -> None:
    known = [variable(name) for name in Settings.model_fields]
    for name in strange:
        meant = nearest(name.upper(), known)
        hint = f": did you mean {meant}?" if meant else ""
        logger.warning("%s is no setting, and changes nothing%s", name, hint)
