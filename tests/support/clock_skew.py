"""A host's own clock, which can be set: libfaketime adds to the kernel's what a file says.

Hosts of one machine share the kernel's clock. Clocks that cannot be set go on as they are.
"""

from pathlib import Path

LIBRARY = "faketime/libfaketimeMT.so.1"
FILE = "clock"


def library() -> Path | None:
    """Return where libfaketime is; None where it is not installed."""
    return next(Path("/usr/lib").glob(f"*/{LIBRARY}"), None)


def give_clock(home: Path) -> None:
    """Give what shells start on a host from now on a clock of its own; `home`: the host's."""
    found = library()
    assert found is not None, "libfaketime is not installed"
    set_clock(home, 0)
    lines = {
        "FAKETIME_TIMESTAMP_FILE": f"$HOME/{FILE}",
        "FAKETIME_CACHE_DURATION": 1,  # seconds until the file is read again
        "FAKETIME_DONT_FAKE_MONOTONIC": 1,
        "DONT_FAKE_MONOTONIC": 1,  # the same for older versions
        "NO_FAKE_STAT": 1,
        "LD_PRELOAD": found,
    }
    with (home / ".bashrc").open("a") as shell:
        shell.writelines(f"export {name}={value}\n" for name, value in lines.items())


def set_clock(home: Path, seconds: int) -> None:
    """Set a host's clock so many seconds forward, or back where negative."""
    new = home / f"{FILE}.new"
    new.write_text(f"{seconds:+d}\n")
    new.rename(home / FILE)
