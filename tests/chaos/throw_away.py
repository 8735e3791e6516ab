"""`make chaos`: `siren chaos` on a system that is thrown away afterwards; options are its own."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.system import System


def main() -> int:
    """Return the exit code of `siren chaos`."""
    with tempfile.TemporaryDirectory(prefix="siren-chaos-", dir=Path.cwd()) as folder:
        system = System(Path(folder) / "data")
        try:
            system.start()
            siren = [sys.executable, "-m", "cluster.cli", "chaos", "--data", str(system.data_dir)]
            return subprocess.run([*siren, "--yes", *sys.argv[1:]], check=False).returncode
        finally:
            system.stop()


if __name__ == "__main__":
    sys.exit(main())
