"""A disk as slow as asked for: what is started from now on waits longer for each sync."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("slow_sync.c")
COMPILERS = ("cc", "gcc", "clang")


def slow_down(milliseconds: float, folder: Path) -> None:
    """Let every sync of processes that are started from now on take this much longer.

    Ends this process with a sentence where there is no C compiler.
    """
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        sys.exit("skipped: no C compiler (cc) on this machine to make a slow disk with")
    library = folder / "slow_sync.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    os.environ |= {
        "LD_PRELOAD": str(library.absolute()),
        "RAY_LD_PRELOAD_ON_WORKERS": "1",
        "SYNC_DELAY_MS": f"{milliseconds:g}",
    }
