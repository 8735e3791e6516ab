"""Finds the browser that the tests drive; run as a module, installs Debian's if there is none.

Playwright would download one of its own; a packaged Chromium comes from where all else comes from.
"""

import os
import shutil
import subprocess
import sys

VARIABLE = "SIREN_CHROMIUM"
SHELL = "chromium-headless-shell"
"""Without windows that nobody sees: a page costs it a sixth of the processor's time."""
NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = (SHELL, "fonts-noto-cjk")  # without the fonts Korean is a row of boxes
SWITCHES = (
    "--no-sandbox",  # needs a kernel that grants it, and the pages are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


MISSING = (
    f"the browser tests need Chromium: install one of {', '.join(NAMES)}, "
    f"or name another browser in {VARIABLE}"
)


def find() -> str | None:
    """Return the path of the browser that `SIREN_CHROMIUM` names, or else of the first on PATH."""
    named = os.environ.get(VARIABLE)
    return next(filter(None, map(shutil.which, NAMES if named is None else (named,))), None)


def install() -> None:
    """Install Debian's Chromium where there is apt-get, as root or by sudo."""
    as_root = [] if os.geteuid() == 0 else ["sudo"]
    if not all(map(shutil.which, [*as_root, "apt-get"])):
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        subprocess.run([*as_root, "apt-get", "-qq", *arguments], env=quiet, check=False)


def is_wanted() -> bool:
    """Tell whether to install one: there is none, or nobody but a container's root is asked."""
    if VARIABLE in os.environ:
        return False
    return find() is None or (os.geteuid() == 0 and shutil.which(SHELL) is None)


if __name__ == "__main__":
    if is_wanted():
        install()
    sys.exit(None if find() else MISSING)
