"""Which tests may run at the same time: `pytest --numprocesses=2` asks."""

from xdist.scheduler import LoadScopeScheduling

from tests.support.system import on_the_system


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # published without types
    """Tests on the real system keep to one process, as there is one system; of the others each
    file does, as what they share is a file's.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "system" if on_the_system(nodeid) else nodeid.partition("::")[0]
