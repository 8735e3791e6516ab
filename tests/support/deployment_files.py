"""The files that bring the system up on a cluster, as tests read them."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
RAY_UP = ("aws", "gcp", "local")


def load(file: Path) -> Any:
    """Return the one document of a YAML file."""
    return yaml.safe_load(file.read_text())


def load_all(text: str) -> list[dict[str, Any]]:
    """Return the documents of YAML."""
    return list(yaml.safe_load_all(text))


def pinned(lock: Path) -> dict[str, str]:
    """Return what a lock pins: a package's name, and everything that is said of it."""
    entries = lock.read_text().replace("\\\n", " ").splitlines()
    return {entry.partition("==")[0]: " ".join(entry.split()) for entry in entries}
