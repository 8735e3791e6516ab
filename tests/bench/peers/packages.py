"""The peers' packages: a virtual environment of their own, so that Siren's lock stays Siren's."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.system import ROOT

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
VENV = ROOT / ".venv-peers"
INSTALL_S = 900.0


def python_with_packages(report: Callable[[str], None]) -> Path:
    """Return the Python that has what `requirements.txt` locks; installs it where it is missing.

    Raises `RuntimeError` with one line where that fails.
    """
    python, stamp = VENV / "bin" / "python", VENV / ".installed"
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if not (python.exists() and stamp.exists() and stamp.read_text() == digest):
        report(f"installing the peers' packages into {VENV.name}, once")
        _run(sys.executable, "-m", "venv", "--clear", VENV)
        (VENV / ".gitignore").write_text("*\n")  # linters look there, too
        _run(python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", REQUIREMENTS)
        stamp.write_text(digest)
    return python


def _run(*command: object) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=INSTALL_S)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or ["no output"]
        raise RuntimeError(f"cannot install its packages: {errors[0]}")
