"""What every worker of the system's Ray does before any actor lives in it; Ray calls `prepare`.

Ray's own answer to SIGTERM is to end once nothing is under way any more. Serve's controller and an
actor that somebody waits for never get there: half dead, they keep the place of the next one, for
many seconds. Here what is acknowledged is on disk, and whatever was not is asked for again.
"""

import signal

from ray._private import utils


def prepare() -> None:
    """Let SIGTERM end this process at once, as it ends any other program."""
    utils.set_sigterm_handler = _keep_default  # its main loop sets its own with this, after us


def _keep_default(_handler: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
