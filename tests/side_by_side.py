"""Which tests may run at the same time: `pytest --numprocesses=3` asks."""

from xdist.scheduler import LoadScopeScheduling

from tests.support.system import on_the_system


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # published without types
    """Tests on the real system keep to one process, as there is one system for each process; those
    with a browser, which are more than half of them, to another. Of all others each file does, as
    what they share is a file's.
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/browser/"):
            return "browser"
        return "system" if on_the_system(nodeid) else nodeid.partition("::")[0]
