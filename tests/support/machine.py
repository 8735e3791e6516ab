"""A machine of a cluster before anything is installed, with stand-ins for Python and pip."""

import os
import subprocess
from pathlib import Path

from tests.support.deployment_files import CLUSTER

PYTHON = """\
#!/bin/sh
# `python3 -m venv --clear venv` makes a Python that notes what it is asked for.
[ "$1" = -m ] || exit 0
rm -rf "$4"
mkdir -p "$4/bin"
printf '#!/bin/sh\\n[ "$3" = --version ] || echo "$@" >>"$HOME/asked"\\n' >"$4/bin/python"
printf '#!/bin/sh\necho "export ASKED=\'"'"'$*\'"'"'"\n' >"$4/bin/siren"
chmod +x "$4/bin/python" "$4/bin/siren"
"""


def furnish(home: Path) -> Path:
    """Make a home as `ray up` leaves it before the first command, and return it."""
    files = {
        ".siren/siren.env": "SIREN_JWT_SECRET=…",
        ".siren/locks/runtime.lock": "ray==2.60.0",
        ".siren/wheel/siren_order-0.1.0-py3-none-any.whl": "a wheel",
        ".ray/auth_token": "a token",
        "bin/python3": PYTHON,
    }
    for name, text in files.items():
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (home / "bin" / "python3").chmod(0o755)
    return home


def install(home: Path) -> list[str]:
    """Run `install.sh`, and return what pip has been asked for by now."""
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    environment = {"HOME": str(home), "PATH": path}
    subprocess.run(["sh", CLUSTER / "install.sh"], env=environment, check=True)
    return (home / "asked").read_text().splitlines()
